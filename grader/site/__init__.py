"""A static site of the course: `grader site`. Pages that need no kernel and no network."""

from grader.site.pages import build_site

__all__ = ["build_site"]
