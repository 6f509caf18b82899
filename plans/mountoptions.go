package plans

import (
	"regexp"
	"strings"
)

// mountSecret is a mount option that holds a password: that of Ceph and those of CIFS.
var mountSecret = regexp.MustCompile(`(?i)^\s*(secret|password|password2|pass|passwd)\s*=`)

// withoutSecrets takes the options that hold a password out of mount options. An engine shows them to whoever may read it; they belong
// into no plan and no inventory.
func withoutSecrets(options string) (clean string, hidden bool) {
	var kept []string
	for _, option := range strings.Split(options, ",") {
		if mountSecret.MatchString(option) {
			hidden = true
			continue
		}
		kept = append(kept, option)
	}
	return strings.Join(kept, ","), hidden
}
