package plans

import (
	"fmt"
	"strconv"
	"strings"

	"drrun/lua"
)

// TargetLogin is an iSCSI target with what CHAP asks for.
type TargetLogin struct {
	Target
	Username string
	Password *lua.Secret // nil where the target asks for none
}

// parseTarget reads a target as a plan has it: ADDRESS:PORT/IQN.
func parseTarget(text string) (t Target, problem string) {
	portal, iqn, found := strings.Cut(strings.TrimSpace(text), "/")
	if !found {
		return t, "the target name (IQN) is missing after the portal"
	}
	colon := strings.LastIndexByte(portal, ':')
	if colon < 0 || strings.HasSuffix(portal, "]") {
		return t, fmt.Sprintf("the port is missing in the portal %q", portal)
	}
	if t.Address, problem = parseHost(portal[:colon]); problem != "" {
		return t, problem
	}
	if t.Port, found = parsePort(portal[colon+1:]); !found {
		return t, fmt.Sprintf("the port %q is no number between 1 and 65535", portal[colon+1:])
	}
	if t.IQN, found = parseIQN(iqn); !found {
		return t, fmt.Sprintf("%q is no target name: %s", iqn, iqnForm)
	}
	return t, ""
}

func parsePort(text string) (int, bool) {
	number, err := strconv.ParseUint(text, 10, 16)
	return int(number), err == nil && number > 0
}

// iqnForm says how the name of a target looks.
const iqnForm = `it begins with "iqn.", "eui." or "naa." and holds no space or slash`

func parseIQN(text string) (string, bool) {
	iqn := strings.ToLower(text)
	prefixed := strings.HasPrefix(iqn, "iqn.") || strings.HasPrefix(iqn, "eui.") || strings.HasPrefix(iqn, "naa.")
	return iqn, prefixed && !strings.ContainsAny(iqn, " /") && len(iqn) > len("iqn.")
}

// GuardedTargets are the targets of a site that CHAP asks for a password at.
func (p *Plan) GuardedTargets(site string) []TargetLogin {
	var guarded []TargetLogin
	add := func(targets []TargetLogin) {
		for _, t := range targets {
			if t.Password != nil {
				guarded = append(guarded, t)
			}
		}
	}
	for _, d := range p.StorageDomains {
		add(d.Side(site).Targets)
	}
	for _, m := range p.Mappings.LUNs {
		add(m.Side(site).Targets)
	}
	return guarded
}
