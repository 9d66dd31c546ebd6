"""certstate: bulk import of certificate inventories into Microsoft Graph.

Read `run.py` first: it tells the whole story.
"""

__version__ = "0.1.0"
