package stdlib

// API counts the meaning of the primitives: what a workflow that is run again from the top may expect of a journal which it, or an older
// text of it, has written. It stands in the head of every journal, and a journal of another number is not resumed.
//
// Raise it when a workflow that was cut under the old drrun could not go on under the new one as if nothing had happened: when the key, the
// arguments or the result of a durable step of the built-in workflows or of ctx become others, when a primitive splits into two or does
// more or less than before, when an operation's name or subject in an intent changes, or when a fact is removed or means something else.
// A new primitive, option, fact or hook point that older journals simply lack does not raise it. With a new number comes a new folder
// of journals in plans/runner/testdata.
const API = 1
