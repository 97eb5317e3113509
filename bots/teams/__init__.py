"""Microsoft Teams.

What the composition root uses:

    # ValueError: settings that cannot work
    face = TeamsFace(TeamsSettings(...), dispatcher, aiohttp_session, state, exchange=None)
    site.add_routes([web.post("/api/messages", face.handler)])
    await face.start()      # fetches the issuer's keys ahead of the first message
    await face.stop()       # lets answers that are under way go out

`deliver`, `thread`, `download` and `profile` are the rest of `commands.request.Face`. `exchange(principal, token)`
turns a person's single sign-on token into access to Dynamics and says whether that worked; without it sign-in goes
through /auth. `bots.teams.manifest` makes the app package.

Where a private reply (the usual one) goes:

* in a personal chat: a message; the answer to a press takes the place of the card where it says so.
* to words in a channel or group: a message that this person alone sees; where Teams cannot do that, their own chat.
* to a press on a card there: into the card's place, for this person alone.
* to a dialog there, and to an action on a message: into the dialog.

A reply for everyone is a message in the thread.

`Reply.stub` goes to the thread for everyone; with `replace` it takes the place of the pressed card (`address["card"]`).
`deliver` returns the id of the message it posted; put it into `place.address["card"]` and set `replace` to change that
message later.

The rest of the room: `port.py` alone knows botbuilder; `tokens.py` checks who calls; `connector.py` calls Teams;
`activity.py` and `requests.py` read what comes in; `adaptive.py` and `forms.py` draw cards from `elements.py`,
`drawing.py` whole messages; `invokes.py` answers gestures; `delivery.py` places replies, `sending.py` sees to it that
they arrive; `waiting.py` knows which card waits for which answer, `exchanges.py` who exchanges a token;
`conversations.py` who sent the bot away, `standing.py` and `readers.py` who somebody is and who reads along;
`extension.py` searches and unfurls; `graph.py` reads threads and files, `quoting.py` the message that becomes a case;
`times.py` says how long all of them wait.
"""
