"""Faces: wire -> Request, Reply -> wire. Nothing about CRM."""
