package runner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"drrun/internal/sabotage"
	"drrun/ovirt"
	"drrun/stdlib"
)

// password finds the password of a site, and keeps it out of every text from then on.
func (a *attempt) password(ctx context.Context, site string) (string, error) {
	password, err := a.plan.Site(site).Password.Reveal(ctx)
	if err != nil {
		return "", fmt.Errorf("password of site %s: %w", site, err)
	}
	a.keepSecret(password)
	return password, nil
}

// revealTargets has the passwords of the target's iSCSI targets found, or asked for, before anything begins.
func (a *attempt) revealTargets(ctx context.Context, site string) error {
	for _, t := range a.plan.GuardedTargets(site) {
		password, err := t.Password.Reveal(ctx)
		if err != nil {
			return fmt.Errorf("password of the target %s of site %s: %w", t.Target, site, err)
		}
		a.keepSecret(password)
	}
	return nil
}

// targetPassword reveals what CHAP asks for at a target of a site.
func (a *attempt) targetPassword(ctx context.Context, site string, target stdlib.FactTarget) (string, error) {
	for _, t := range a.plan.GuardedTargets(site) {
		if t.Address == target.Address && t.Port == target.Port && t.IQN == target.IQN {
			return t.Password.Reveal(ctx)
		}
	}
	return "", fmt.Errorf("the plan has no password for the target %s of site %s", target, site)
}

// keepSecret lets the text filter take a password out of whatever is written.
func (a *attempt) keepSecret(password string) {
	a.secretsMu.Lock()
	defer a.secretsMu.Unlock()
	if len(password) >= shortestRedacted && !slices.Contains(a.secrets, password) {
		a.secrets = append(a.secrets, password)
	}
}

// shortestRedacted keeps the text filter from tearing words apart where a lab's password is "vm". Secrets never get that far
// by design; the filter is the second net.
const shortestRedacted = 6

// redact is the second net under secrets: no revealed password and no token of a session passes into journal, report or output.
func (a *attempt) redact(text string) string {
	if sabotage.On(sabotage.SecretsWritten) {
		return text
	}
	a.secretsMu.Lock()
	secrets := slices.Clone(a.secrets)
	a.secretsMu.Unlock()
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "<secret>")
	}
	for _, site := range append([]*ovirt.Site{a.source, a.target}, a.opened...) {
		if site != nil {
			text = site.Redact(text)
		}
	}
	return text
}
