package stdlib

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"drrun/ovirt"
)

// errNoHostUp says that no host of a site can remove a storage domain.
var errNoHostUp = errors.New("no host is up")

// remover returns the id of a host that can remove the domain: one that is up in its data center; for a domain that is attached to none,
// also one that is up elsewhere, since the engine asks for no more (ovirt-engine RemoveStorageDomainCommand.java).
func (d *domainRef) remover(ctx context.Context, attachedTo string) (hostID string, err error) {
	seen, err := d.site.readHosts(ctx, hostsAge)
	if err != nil {
		return "", err
	}
	notUp := func(h ovirt.Host) bool { return h.Status != "up" }
	hosts := seen.in(map[string]bool{d.homeDataCenter(attachedTo): true})
	if hosts = slices.DeleteFunc(hosts, notUp); len(hosts) == 0 && attachedTo == "" {
		hosts = slices.DeleteFunc(slices.Clone(seen.hosts), notUp)
	}
	if len(hosts) == 0 {
		return "", fmt.Errorf("take storage domain %q out of %s: %w there that could do it: bring one up, then run drrun resume", d.fact.Name, d.site.Name, errNoHostUp)
	}
	return hosts[0].ID, nil
}

// ignoring returns err unless it is the one that was looked for.
func ignoring(err, known error) error {
	if errors.Is(err, known) {
		return nil
	}
	return err
}
