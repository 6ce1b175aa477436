"""A report as one HTML file that opens from disk, without a network.

page.py the page, piece by piece · overview.py what the whole run shows · causes.py findings of one cause together · requirement_rows.py the
requirements by level and dialect · case_data.py what the viewer of one case reads · token_texts.py the texts of token ids ·
script_data.py JSON in a page · policy.py what the page may do.

templates/ is what is readable without JavaScript, app/ the viewer, style/ how both look, vendor/ the libraries of the viewer.
"""
