"""Reference servers that are several processes behind one port."""
