package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ControlClient speaks to the control API of a lab in another process.
type ControlClient struct {
	base string
	http *http.Client
}

// Dial returns a client of the control API at HOST:PORT (or http://HOST:PORT). It does not connect yet.
func Dial(addr string) *ControlClient {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	return &ControlClient{base: strings.TrimSuffix(addr, "/"), http: &http.Client{Timeout: 30 * time.Second}}
}

// World returns the whole world.
func (c *ControlClient) World(ctx context.Context) (View, error) {
	var v View
	return v, c.call(ctx, http.MethodGet, "/world", nil, &v)
}

// Log returns every request to the engines so far.
func (c *ControlClient) Log(ctx context.Context) ([]LogEntry, error) {
	var list []LogEntry
	return list, c.call(ctx, http.MethodGet, "/log", nil, &list)
}

// Disaster takes a site's power (Lab.Disaster).
func (c *ControlClient) Disaster(ctx context.Context, site string) error {
	return c.call(ctx, http.MethodPost, "/sites/"+url.PathEscape(site)+"/disaster", nil, nil)
}

// Outage stops only a site's engine (Lab.Outage).
func (c *ControlClient) Outage(ctx context.Context, site string) error {
	return c.call(ctx, http.MethodPost, "/sites/"+url.PathEscape(site)+"/disaster?only=engine", nil, nil)
}

// Heal gives a site its power back (Lab.Heal).
func (c *ControlClient) Heal(ctx context.Context, site string) error {
	return c.call(ctx, http.MethodPost, "/sites/"+url.PathEscape(site)+"/heal", nil, nil)
}

// Promote makes the replica of a domain writable (Lab.Promote).
func (c *ControlClient) Promote(ctx context.Context, domain string) error {
	return c.call(ctx, http.MethodPost, "/arrays/promote", map[string]string{"domain": domain}, nil)
}

// Replicate copies a domain from the side that counts to the other (Lab.Replicate).
func (c *ControlClient) Replicate(ctx context.Context, domain string) error {
	return c.call(ctx, http.MethodPost, "/arrays/replicate", map[string]string{"domain": domain}, nil)
}

// Fail adds a fault (Lab.Fail).
func (c *ControlClient) Fail(ctx context.Context, f Fault) error {
	return c.call(ctx, http.MethodPost, "/faults", f, nil)
}

// AddFault is Fail, and returns the rule as Faults lists it.
func (c *ControlClient) AddFault(ctx context.Context, f Fault) (FaultView, error) {
	var view FaultView
	return view, c.call(ctx, http.MethodPost, "/faults", f, &view)
}

// Faults returns the rules with what each did (Lab.Faults).
func (c *ControlClient) Faults(ctx context.Context) ([]FaultView, error) {
	var list []FaultView
	return list, c.call(ctx, http.MethodGet, "/faults", nil, &list)
}

// DropFault takes a rule away, 0 all of them (Lab.DropFault).
func (c *ControlClient) DropFault(ctx context.Context, n int) error {
	path := "/faults"
	if n != 0 {
		path += "/" + strconv.Itoa(n)
	}
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

func (c *ControlClient) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("call lab: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("call lab: %w", err)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("call lab at %s: %w", c.base, err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("call lab at %s: %w", c.base, err)
	}
	if answer.StatusCode != http.StatusOK {
		fail := &ControlError{Status: answer.StatusCode}
		if json.Unmarshal(b, fail) == nil && fail.Message != "" {
			return fmt.Errorf("call lab at %s: %w", c.base, fail)
		}
		return fmt.Errorf("call lab at %s: %s %s answered %s", c.base, method, path, answer.Status)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("call lab at %s: read the answer: %w", c.base, err)
	}
	return nil
}
