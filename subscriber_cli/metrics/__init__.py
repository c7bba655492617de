"""Every number of every machine for Prometheus: ``fanwhy-sub metrics``.

``exposition`` makes the text from what the hosts' catalogues declare, so that a subsystem that this
version has never heard of is there too; ``exporter`` listens to the broker and answers over HTTP.
"""
