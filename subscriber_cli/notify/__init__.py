"""Messages to phones, mailboxes and chats: ``fanwhy-sub notify``.

``rules`` says what is worth one, ``incidents`` when it begins and when it is over, ``watch`` holds
the hosts against both, ``words`` is what a person reads. ``store`` keeps it in a file, so that
nothing is told twice and nothing is lost; ``parcels`` puts what waits for one target into few
messages. ``worker`` is another process, the only one that loads Apprise: it may hang or die, and
``courier`` starts it again. ``targets`` knows the addresses, which are secrets, and is the one door
through which words about them leave. ``notifier`` puts all of this together.
"""
