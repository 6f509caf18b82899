package ovirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// Reach is what Probe saw.
type Reach struct {
	Answers bool
	Kind    string // one of the Reach constants
	Text    string // one line for people
}

// The kinds of a Reach.
const (
	ReachAPI       = "api"       // the engine answers and is healthy
	ReachError     = "error"     // something answers, and not well
	ReachRefused   = "refused"   // connection refused, reset or no route, or a proxy without an engine
	ReachTimeout   = "timeout"   // no answer in time
	ReachDNS       = "dns"       // the name does not resolve here
	ReachTLS       = "tls"       // something answers with a certificate that is not accepted
	ReachCancelled = "cancelled" // the look was given up: nothing is known
)

const probeTimeout = 10 * time.Second

// Probe looks once, cheaply and without a login, whether the site answers at all. Only silence of the connection (refused, no
// answer, no route, reset, a name that does not resolve) is "does not answer"; every other answer, however bad, is one: a web server
// without an engine behind it (502, 503, 504) shows that the site has power, and VMs run on without their engine. A look that the caller gave up counts as an answer, because it proves no silence.
func (s *Site) Probe(ctx context.Context) Reach {
	bounded, cancel := s.o.Clock.WithTimeout(ctx, min(probeTimeout, s.o.CallTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(bounded, http.MethodGet, s.base.String()+"/services/health", nil)
	if err != nil {
		return Reach{Answers: true, Kind: ReachError, Text: err.Error()}
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := s.transport.RoundTrip(req)
	if err == nil {
		defer drain(resp.Body)
		head, bodyErr := io.ReadAll(io.LimitReader(resp.Body, 1024))
		switch code := resp.StatusCode; {
		case code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout:
			return Reach{Answers: true, Kind: ReachError, Text: fmt.Sprintf("%s: its web server answers %d: no engine runs behind it, and its VMs may", s.base.Host, code)}
		case code == http.StatusOK && bodyErr == nil && strings.HasPrefix(string(head), "DB Up"):
			return Reach{Answers: true, Kind: ReachAPI, Text: fmt.Sprintf("%s answers", s.base.Host)}
		default:
			return Reach{Answers: true, Kind: ReachError, Text: fmt.Sprintf("%s answers %d", s.base.Host, code)}
		}
	}
	e := &Error{}
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil:
		return Reach{Answers: true, Kind: ReachCancelled, Text: "the look at " + s.base.Host + " was given up"}
	case bounded.Err() != nil:
		return Reach{Kind: ReachTimeout, Text: s.base.Host + " does not answer in time"}
	case e.tls(err, s.o.CAFile):
		return Reach{Answers: true, Kind: ReachTLS, Text: fmt.Sprintf("%s answers, but %v", s.base.Host, e.Err)}
	case errors.As(err, &dns):
		return Reach{Kind: ReachDNS, Text: fmt.Sprintf("the host name %q is not known here", dns.Name)}
	case isTimeout(err):
		return Reach{Kind: ReachTimeout, Text: s.base.Host + " does not answer in time"}
	}
	for _, silent := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN,
		syscall.EPIPE, syscall.ETIMEDOUT, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, silent) {
			return Reach{Kind: ReachRefused, Text: fmt.Sprintf("%s: %v", s.base.Host, plain(err))}
		}
	}
	// Something was received that HTTP does not allow, or this machine could not even try (no file descriptors, say): no silence.
	return Reach{Answers: true, Kind: ReachError, Text: fmt.Sprintf("%s: %v", s.base.Host, err)}
}
