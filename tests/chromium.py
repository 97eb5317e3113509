"""Where Chromium is, for the tests that open a browser; None where it is absent, and `browser` tests are skipped."""

import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
