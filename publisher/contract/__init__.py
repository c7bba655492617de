"""The contract: everything that crosses the broker, declared once.

``metric`` declares, ``payload`` encodes and compares, ``topics`` names, ``messages`` holds the
topics of no subsystem, ``broker`` says how to reach the broker, ``model`` derives pydantic
models, JSON Schema and AsyncAPI. Nothing here imports the rest of fanwhy but its errors.
"""
