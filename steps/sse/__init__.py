"""Streams of server-sent events: parser.py their framing · streams.py reading one as it arrives · order.py the order of events by a table ·
expectations.py what a stream must be, whatever its events mean"""
