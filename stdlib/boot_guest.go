package stdlib

import (
	"cmp"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"drrun/ovirt"
)

// guestValues are what texts of boot conditions can hold in braces.
var guestValues = []string{"ip", "fqdn", "name", "id", "site"}

var placeholder = regexp.MustCompile(`\{([a-z_0-9]+)\}`)

// placeholders are the names that stand in braces in a text.
func placeholders(text string) []string {
	var names []string
	for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	return names
}

var hostName = regexp.MustCompile(`^[\pL\pN_]([\pL\pN_.-]{0,252})$`)

// isHostName tells whether a text that a guest gave can be a name. The guest could say anything, and what it says stands in the arguments of
// a program and in addresses to which secrets are sent: "-o…" or "other.example/x#".
func isHostName(text string) bool { return hostName.MatchString(text) }

// filled puts values in the place of names in braces.
func filled(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(match string) string { return values[match[1:len(match)-1]] })
}

// filledURL is filled for an address, where one of IPv6 stands in brackets.
func filledURL(text string, values map[string]string) string {
	if !strings.Contains(values["ip"], ":") {
		return filled(text, values)
	}
	bracketed := map[string]string{}
	for name, value := range values {
		bracketed[name] = value
	}
	bracketed["ip"] = "[" + values["ip"] + "]"
	return filled(text, bracketed)
}

// ownAddress chooses the address that a VM is asked at: the first of its NICs, in the order of their names, that has one, IPv4 before
// IPv6. Link-local addresses lead nowhere without an interface.
func ownAddress(nics []ovirt.NIC, only string) string {
	sorted := slices.SortedFunc(slices.Values(nics), func(a, b ovirt.NIC) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name)) // nic2 before nic10
	})
	for _, nic := range sorted {
		if only != "" && nic.Name != only {
			continue
		}
		var six string
		for _, text := range nic.Addresses {
			address, err := netip.ParseAddr(text)
			if err != nil || address.IsLinkLocalUnicast() || address.IsMulticast() || address.IsUnspecified() {
				continue
			}
			if address.Unmap().Is4() {
				return address.Unmap().String()
			}
			six = cmp.Or(six, address.String())
		}
		if six != "" {
			return six
		}
	}
	return ""
}
