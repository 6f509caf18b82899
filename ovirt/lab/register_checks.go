package lab

import (
	"fmt"
)

// olderLevel reports whether compatibility version a is older than b.
func olderLevel(a, b string) bool {
	number := func(s string) int {
		var major, minor int
		_, _ = fmt.Sscanf(s, "%d.%d", &major, &minor)
		return major*1000 + minor
	}
	return number(a) < number(b)
}
