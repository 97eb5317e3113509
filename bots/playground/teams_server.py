"""A Teams that runs on loopback: the Bot Framework connector, its OpenID issuer and token endpoints, and people.

Gestures (each is one signed HTTP activity to `bot_url` and returns an `Answer`: status, json, seconds, activity):

    message(text, user=, conversation=, mention=True, reply_to=None)     conversation: "personal", "group", "channel" or an id
    invoke(name, value, user=, conversation=, reply_to=None)             any invoke, raw
    execute(message, action, inputs={}, user=)        Action.Execute by id, verb or title (adaptiveCard/action)
    refresh(message, user=)                           the card's automatic refresh
    submit_action(message, action, inputs={}, user=)  Action.Submit: a message activity with `value`
    task_fetch(data, user=) · task_submit(data, user=)
    compose_fetch_task(message, user=, command="createCase") · compose_submit(data, user=, message=)
    query(command, text, user=) · query_link(url, user=) · typeahead(dataset, typed, user=)
    install(conversation) · uninstall(conversation) · react(message, kind, user=) · post(...) a person's own message
    redeliver(delivery) · raw(activity, authorization=) · token(...) for forged, expired, foreign tokens

What a person sees: `last(conversation, user)`, `messages(...)`, `dialog(user)`, `transcript(conversation, user)`. What the
bot did: `calls`. Switches: `throttle`, `fail(route, status, code, times=)`, `issuer.rollover()`.
"""
