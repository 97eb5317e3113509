"""The Slack face: signed bytes -> `Request`, `Reply` -> Block Kit; nothing about CRM.

The composition root builds one `SlackFace` and gives it its dispatcher once both exist:

    face = SlackFace(SlackSettings(signing_secret=…, bot_token=…), engine=engine, cipher=cipher)
    dispatcher = Dispatcher(…, faces={"slack": face})
    await face.start(dispatcher)
    app.router.add_route("*", "/slack/events", face.events)
    app.router.add_get("/slack/install", face.install)
    app.router.add_get("/slack/oauth_redirect", face.oauth_redirect)
    …
    await face.stop()

`face.deliver(place, principal, reply)` puts late answers and thread news where they belong; `thread`, `download` and
`profile` are the rest of `commands.request.Face`. `bots.slack.manifest.manifest(settings, nouns)` describes the app to
Slack. Its tables (`bots.slack.tables`) must be there when it starts.
"""

from .face import SlackFace
from .settings import SlackSettings

__all__ = ["SlackFace", "SlackSettings"]
