"""The archive: what passes by, kept for years in one SQLite file.

``schema`` opens and migrates the file. ``writer`` takes messages: ``measurements`` makes series of
a reading by its catalogue, ``spans`` keeps causes, sentences, alerts and gaps. ``keeping`` packs
days away (``rollup``, ``packing``) and forgets what is too old. ``reader`` answers questions.
"""
