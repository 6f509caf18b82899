package stdlib

import "fmt"

// NotIsolated is the prefix of the verdicts of NotIsolatedVerdict.
const NotIsolated = "NOT ISOLATED"

// NotIsolatedVerdict says of a run that went by a person's word alone what that means for the source. answersAgain is set where the
// source has answered since.
func NotIsolatedVerdict(source, confirmedBy string, answersAgain bool) string {
	if answersAgain {
		return fmt.Sprintf("%s: the %s ANSWERS AGAIN after %s said that it is down: its VMs may be running on the old data. Stop them there now", NotIsolated, source, confirmedBy)
	}
	return fmt.Sprintf("%s: do not power on the %s: only the word of %s says that it is down", NotIsolated, source, confirmedBy)
}
