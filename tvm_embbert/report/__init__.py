"""The report: what it holds, and how a person sees it."""
