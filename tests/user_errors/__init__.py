"""Every error that a user can cause, with its whole message: reading these modules is reading all of them.

Each module has a list `CASES` of one kind of thing that users give. `test_user_errors` causes each, and
`test_no_message_is_missing` looks through the package for messages that no list has.
"""
