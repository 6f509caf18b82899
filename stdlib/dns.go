package stdlib

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"drrun/lua"
)

// dnsTypes are the types of records that dns.lookup knows.
var dnsTypes = []string{"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"}

// dnsModule declares the module dns.
func dnsModule(o *outside) lua.Module {
	return lua.Module{
		Name:    "dns",
		Records: []lua.Record{lua.NewRecord("dns_update", "What was changed.", "server string | The name server.", "zone string | The zone.", "changes number | How many records were named.")},
		Doc:     "Names: looking them up, and moving them to the other site by dynamic update (RFC 2136).",
		Funcs: []lua.Func{
			{
				Name: "lookup", Effect: lua.Observes, Returns: "string[]",
				Doc: "Returns the records of a name as texts, sorted; an empty list when there are none, or no such name. " +
					"Raises dns-failed when a server refuses, or none answers in time.",
				Params: []lua.Param{
					{Name: "name", Type: lua.String, Positional: true, Doc: "The name, whole; for PTR an address will do."},
					{Name: "type", Type: lua.Enum(dnsTypes...), Default: "A", Doc: "Type of the records."},
					{Name: "server", Type: lua.String, Optional: true, Doc: "Name server to ask, ADDRESS or ADDRESS:PORT. Default: those of this machine (and for A and AAAA its hosts file)."},
					{Name: "timeout", Type: lua.Duration, Default: "5s", Doc: "How long it may take in all."},
				},
				Run: func(c *lua.Call) (any, error) {
					return o.observe(c, func(ctx context.Context, _ *Session) (any, error) {
						found, err := lookUpName(ctx, c.String("name"), c.String("type"), c.String("server"))
						if c.Ctx.Err() != nil {
							return nil, context.Cause(c.Ctx)
						}
						if err != nil {
							d := c.Errorf("dns-failed", "", "look up %s %s: %v", c.String("type"), c.String("name"), inTime(ctx, c.Duration("timeout"), err))
							d.Retryable = true
							return nil, d
						}
						return found, nil
					})
				},
			},
			dnsUpdateFunc(o),
		},
	}
}

// lookUpName returns the records of a name, sorted.
func lookUpName(ctx context.Context, name, kind, server string) ([]string, error) {
	if server == "" && (kind == "A" || kind == "AAAA") {
		return lookUpByMachine(ctx, name, kind)
	}
	if kind == "PTR" && net.ParseIP(name) != nil {
		name, _ = dns.ReverseAddr(name) // of an address it cannot fail
	}
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.StringToType[kind])
	servers := []string{server}
	if server == "" {
		config, err := dns.ClientConfigFromFile("/etc/resolv.conf")
		if err != nil {
			return nil, fmt.Errorf("find the name servers of this machine: %w", err)
		}
		servers = servers[:0]
		for _, address := range config.Servers {
			servers = append(servers, net.JoinHostPort(address, config.Port))
		}
	}
	err := errors.New("this machine has no name servers")
	for _, address := range servers {
		var answer *dns.Msg
		if answer, err = exchangeDNS(ctx, question, address, nil); err == nil {
			return recordTexts(answer, dns.StringToType[kind]), nil
		}
	}
	return nil, err
}

func lookUpByMachine(ctx context.Context, name, kind string) ([]string, error) {
	network := map[string]string{"A": "ip4", "AAAA": "ip6"}[kind]
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, network, name)
	var missing *net.DNSError
	if errors.As(err, &missing) && missing.IsNotFound {
		return []string{}, nil
	}
	if err != nil {
		return nil, err
	}
	found := []string{}
	for _, address := range addresses {
		found = append(found, address.Unmap().String())
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// recordTexts are the records of a type in an answer, without name, class and time to live.
func recordTexts(answer *dns.Msg, kind uint16) []string {
	found := []string{}
	for _, record := range answer.Answer {
		if record.Header().Rrtype != kind {
			continue // a CNAME on the way
		}
		if text, ok := record.(*dns.TXT); ok {
			found = append(found, strings.Join(text.Txt, ""))
			continue
		}
		found = append(found, strings.TrimPrefix(record.String(), record.Header().String()))
	}
	slices.Sort(found)
	return found
}

// dnsAddress adds the port 53 to a server that is given without one.
func dnsAddress(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(strings.Trim(server, "[]"), "53")
}

// tsig is the key that signs a message.
type tsig struct{ name, algorithm, secret string }

// exchangeDNS asks a server, by UDP, and by TCP where the answer does not fit; a message with a key goes by TCP, for it changes something and
// must not be sent twice. An answer other than "no error" and "no such name" is an error.
func exchangeDNS(ctx context.Context, message *dns.Msg, server string, key *tsig) (*dns.Msg, error) {
	address, network := dnsAddress(server), "udp"
	if message.Opcode == dns.OpcodeUpdate {
		network = "tcp"
	}
	answer, err := exchangeOnce(ctx, message, network, address, key)
	if err == nil && answer.Truncated && network == "udp" {
		answer, err = exchangeOnce(ctx, message, "tcp", address, key)
	}
	if err != nil {
		return nil, fmt.Errorf("name server %s: %w", address, err)
	}
	if answer.Rcode != dns.RcodeSuccess && (answer.Rcode != dns.RcodeNameError || message.Opcode == dns.OpcodeUpdate) {
		return nil, &rcodeError{server: address, code: answer.Rcode}
	}
	return answer, nil
}

// rcodeError is the refusal of a name server.
type rcodeError struct {
	server string
	code   int
}

// rcodeWords explain what an administrator meets most.
var rcodeWords = map[int]string{
	dns.RcodeRefused: "it does not allow that to this machine or key", dns.RcodeNotAuth: "it is not the primary of the zone, or does not know the key",
	dns.RcodeNotZone: "a name lies outside of the zone", dns.RcodeServerFailure: "it cannot answer now", dns.RcodeBadSig: "the key's secret is another one there",
	dns.RcodeBadKey: "it does not know the key", dns.RcodeBadTime: "its clock and that of this machine differ too much",
}

func (e *rcodeError) Error() string {
	text := fmt.Sprintf("name server %s answered %s", e.server, dns.RcodeToString[e.code])
	if words := rcodeWords[e.code]; words != "" {
		text += ": " + words
	}
	return text
}

func exchangeOnce(ctx context.Context, message *dns.Msg, network, address string, key *tsig) (*dns.Msg, error) {
	plain, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	connection := &dns.Conn{Conn: plain, UDPSize: 4096}
	defer func() { _ = connection.Close() }() // nothing was said that could be lost
	stop := context.AfterFunc(ctx, func() { _ = plain.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if key != nil {
		connection.TsigSecret = map[string]string{key.name: key.secret}
	}
	if err := connection.WriteMsg(message); err != nil {
		return nil, err
	}
	for {
		answer, err := connection.ReadMsg()
		if err != nil {
			if answer != nil && answer.Rcode != dns.RcodeSuccess { // what is refused is often not signed
				return answer, nil
			}
			return nil, err
		}
		if answer.Id == message.Id {
			return answer, nil
		}
	}
}

// recordParams are the records of an update.
func recordParam(name, doc string) lua.Param {
	return lua.Param{Name: name, Optional: true, Doc: doc, Type: lua.List(lua.Table(
		lua.Param{Name: "name", Type: lua.String, Doc: "The name; one without a dot at the end lies in the zone."},
		lua.Param{Name: "type", Type: lua.Enum("A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"), Default: "A", Doc: "Type of the record."},
		lua.Param{Name: "value", Type: lua.String, Optional: true, Doc: "Its value, such as an address. In delete: only that record; without it all of the type."},
		lua.Param{Name: "ttl", Type: lua.Duration, Default: "5m", Doc: "How long others may keep it."},
	))}
}

// dnsUpdateFunc declares dns.update.
func dnsUpdateFunc(o *outside) lua.Func {
	return lua.Func{
		Name: "update", Effect: lua.Durable, Returns: "dns_update",
		Doc: "Changes records of a zone at its primary name server, all of them or none (RFC 2136): first what delete names, then what set names replaces all records of its name and type, " +
			"then what add names. Safe to be done twice. Returns { server =, zone =, changes = }. Raises dns-failed with what the server answered.",
		Params: []lua.Param{
			{Name: "server", Type: lua.String, Doc: "The zone's primary name server, ADDRESS or ADDRESS:PORT."},
			{Name: "zone", Type: lua.String, Doc: "The zone, such as \"example.com\"."},
			recordParam("set", "Records that take the place of all of their name and type."),
			recordParam("add", "Records to add to those that there are."),
			recordParam("delete", "Records to delete."),
			{Name: "key", Type: lua.Table(
				lua.Param{Name: "name", Type: lua.String, Doc: "Name of the key, as the server knows it."},
				lua.Param{Name: "secret", Type: lua.SecretT, Doc: "Its secret in base64, as dr.secret."},
				lua.Param{Name: "algorithm", Type: lua.Enum("hmac-sha256", "hmac-sha512", "hmac-sha224", "hmac-sha384", "hmac-sha1"), Default: "hmac-sha256", Doc: "Algorithm."},
			), Optional: true, Doc: "TSIG key that signs the update. Default: none; few servers allow that."},
			{Name: "timeout", Type: lua.Duration, Default: "15s", Doc: "How long it may take in all."},
			onCutParam,
		},
		Run: func(c *lua.Call) (any, error) {
			message, count, err := updateMessage(c)
			if err != nil {
				return nil, err
			}
			server, zone := c.String("server"), c.String("zone")
			result := map[string]any{"server": dnsAddress(server), "zone": dns.Fqdn(zone), "changes": float64(count)}
			return o.change(c, change{
				name: "dns.update " + zone + " at " + server, assumed: result, timeout: c.Duration("timeout"),
				args: named(map[string]any{"server": server, "zone": zone, "set": c.Value("set"), "add": c.Value("add"), "delete": c.Value("delete"), "key": c.Value("key")}),
				do: func(ctx context.Context, _ bool) (any, error) {
					if err := o.sendUpdate(ctx, c, message, server); err != nil {
						return nil, err
					}
					return result, nil
				},
			})
		},
	}
}

// updateMessage makes the message that a call of dns.update asks for, and counts its changes.
func updateMessage(c *lua.Call) (*dns.Msg, int, error) {
	zone := dns.Fqdn(c.String("zone"))
	message := new(dns.Msg).SetUpdate(zone)
	count := 0
	replaced := map[string]bool{} // a name and type whose old records go once
	for _, list := range []string{"delete", "set", "add"} {
		for i, item := range c.List(list) {
			given := item.(map[string]any)
			value, hasValue := given["value"].(string)
			record, err := recordOf(given, zone)
			if err != nil {
				return nil, 0, c.ErrorAt(c.At(list, i+1), "bad-argument", "%s[%d]: %v", list, i+1, err)
			}
			if !hasValue && list != "delete" || hasValue && value == "" {
				return nil, 0, c.ErrorAt(c.At(list, i+1), "bad-argument", "%s[%d] needs a value", list, i+1)
			}
			count++
			switch id := record.Header().Name + " " + dns.TypeToString[record.Header().Rrtype]; {
			case list == "delete" && hasValue:
				message.Remove([]dns.RR{record})
			case list == "delete":
				message.RemoveRRset([]dns.RR{record})
			case list == "set" && !replaced[id]:
				replaced[id] = true
				message.RemoveRRset([]dns.RR{record})
				message.Insert([]dns.RR{record})
			default:
				message.Insert([]dns.RR{record})
			}
		}
	}
	if count == 0 {
		return nil, 0, c.Errorf("bad-argument", "", "nothing is to be changed: give set, add or delete")
	}
	return message, count, nil
}

// recordOf makes the record that a table describes; without a value it only has a name and a type.
func recordOf(given map[string]any, zone string) (dns.RR, error) {
	name, kind := given["name"].(string), given["type"].(string)
	if !strings.HasSuffix(name, ".") {
		name += "." + zone
	}
	if !dns.IsSubDomain(zone, name) {
		return nil, fmt.Errorf("%s lies outside of the zone %s", name, zone)
	}
	value, hasValue := given["value"].(string)
	if !hasValue {
		return &dns.ANY{Hdr: dns.RR_Header{Name: name, Rrtype: dns.StringToType[kind], Class: dns.ClassINET}}, nil
	}
	if kind == "TXT" {
		value = strconv.Quote(value)
	}
	ttl := int(given["ttl"].(time.Duration).Seconds())
	record, err := dns.NewRR(fmt.Sprintf("$ORIGIN %s\n%s %d IN %s %s", zone, name, ttl, kind, value))
	if err != nil || record == nil {
		return nil, fmt.Errorf("%q is no value of a record of type %s", given["value"], kind)
	}
	return record, nil
}

// sendUpdate signs an update where the call has a key, and sends it.
func (o *outside) sendUpdate(ctx context.Context, c *lua.Call, message *dns.Msg, server string) error {
	var key *tsig
	if given := c.Table("key"); given != nil {
		secret, err := o.disclosed.reveal(ctx, given["secret"])
		if err != nil {
			return err
		}
		key = &tsig{name: dns.Fqdn(strings.ToLower(given["name"].(string))), algorithm: given["algorithm"].(string) + ".", secret: strings.TrimSpace(secret)}
		s, err := o.session(c)
		if err != nil {
			return err
		}
		message.SetTsig(key.name, key.algorithm, 300, s.Env.Clock.Now().Unix())
	}
	if _, err := exchangeDNS(ctx, message, server, key); err != nil {
		var refused *rcodeError
		d := c.Errorf("dns-failed", "", "update the zone %s: %s", c.String("zone"), o.disclosed.mask(inTime(ctx, c.Duration("timeout"), err).Error()))
		d.Err, d.Retryable = err, true
		d.Hint = "whether it was done is not known; doing it again does no harm"
		if errors.As(err, &refused) {
			d.Retryable, d.Hint = refused.code == dns.RcodeServerFailure, "no record was changed; see the log of the name server"
		}
		return d
	}
	return nil
}
