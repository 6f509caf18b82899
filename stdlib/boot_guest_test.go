package stdlib

import (
	"context"
	"sync"
	"testing"

	"drrun/engine"
	"drrun/ovirt"
)

func TestOwnAddress(t *testing.T) {
	t.Parallel()
	nic := func(name string, addresses ...string) ovirt.NIC { return ovirt.NIC{Name: name, Addresses: addresses} }
	cases := []struct {
		name string
		nics []ovirt.NIC
		only string
		want string
	}{
		{name: "none", want: ""},
		{name: "one", nics: []ovirt.NIC{nic("nic1", "fe80::1", "10.1.0.7")}, want: "10.1.0.7"},
		{name: "IPv6 alone", nics: []ovirt.NIC{nic("nic1", "fe80::1", "2001:db8::7")}, want: "2001:db8::7"},
		{name: "IPv4 first", nics: []ovirt.NIC{nic("nic1", "2001:db8::7", "10.1.0.7")}, want: "10.1.0.7"},
		{name: "IPv4 in the form of IPv6", nics: []ovirt.NIC{nic("nic1", "::ffff:10.1.0.7")}, want: "10.1.0.7"},
		{name: "NICs by name", nics: []ovirt.NIC{nic("nic10", "10.10.0.1"), nic("nic2", "10.2.0.1")}, want: "10.2.0.1"},
		{name: "the first with an address", nics: []ovirt.NIC{nic("nic1", "fe80::1"), nic("nic2", "10.2.0.1")}, want: "10.2.0.1"},
		{name: "the one that is asked for", nics: []ovirt.NIC{nic("nic1", "10.1.0.1"), nic("nic2", "10.2.0.1")}, only: "nic2", want: "10.2.0.1"},
		{name: "the one that is asked for has none", nics: []ovirt.NIC{nic("nic1", "10.1.0.1"), nic("nic2")}, only: "nic2", want: ""},
		{name: "nonsense", nics: []ovirt.NIC{nic("nic1", "", "none", "0.0.0.0", "169.254.1.1", "224.0.0.1")}, want: ""},
	}
	for _, c := range cases {
		if got := ownAddress(c.nics, c.only); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFilled(t *testing.T) {
	t.Parallel()
	values := map[string]string{"ip": "2001:db8::7", "name": "db1"}
	if got := filledURL("http://{ip}:8080/{name}", values); got != "http://[2001:db8::7]:8080/db1" {
		t.Error(got)
	}
	if got := filled("{ip} {name} {} { x }", values); got != "2001:db8::7 db1 {} { x }" {
		t.Error(got)
	}
}

// TestTurnstile lets a crowd through, of which some give up: never more than allowed are inside, and no place is lost.
func TestTurnstile(t *testing.T) {
	t.Parallel()
	clock := engine.SystemEnv(1).Clock
	gate := turnstile{free: 3}
	var mu sync.Mutex
	inside, most := 0, 0
	var crowd sync.WaitGroup
	for i := range 200 {
		crowd.Add(1)
		go func() {
			defer crowd.Done()
			ctx, cancel := context.WithCancel(context.Background())
			if i%3 == 0 {
				cancel()
			}
			defer cancel()
			if gate.enter(ctx, clock) != nil {
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			mu.Lock()
			inside--
			mu.Unlock()
			gate.leave()
		}()
	}
	crowd.Wait()
	if most > 3 || gate.free != 3 || len(gate.waiting) != 0 {
		t.Errorf("%d inside at once, %d free at the end, %d waiting", most, gate.free, len(gate.waiting))
	}
}

// TestHostNameOfAGuest takes from a guest what is a name, and nothing that is more than that.
func TestHostNameOfAGuest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"web01": true, "web01.example.com": true, "web_1.example.com.": true, "münchen.example": true, "7.example": true,
		"": false, "-oProxyCommand=x": false, "other.example/x#": false, "user@other.example": false, "other.example:80": false, "a b": false, "a\nb": false, "{ip}": false, "a?b": false,
	} {
		if isHostName(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
