package ovirt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
)

// Code classifies an Error; the set is closed.
type Code string

// The codes.
const (
	CodeUnreachable   Code = "unreachable"       // no connection, or a proxy that finds no engine behind it
	CodeTimeout       Code = "timeout"           // the goal or the answer did not come in time
	CodeTLS           Code = "tls"               // the engine's certificate was not accepted
	CodeCredentials   Code = "credentials"       // the engine refused user name or password
	CodeForbidden     Code = "forbidden"         // the user may not do this
	CodeNotAnEngine   Code = "not-an-engine"     // something else answers at this address
	CodeBadReply      Code = "bad-reply"         // an answer that is not what the API promises
	CodeNotFound      Code = "not-found"         // the object does not exist
	CodeAlreadyExists Code = "already-exists"    // an object with this identity exists
	CodeNameInUse     Code = "name-in-use"       // another object has the name
	CodeLocked        Code = "locked"            // another operation holds the object
	CodeConflict      Code = "conflict"          // the state of an object forbids it
	CodeBadRequest    Code = "bad-request"       // the engine or a host refused what was asked
	CodeEngineError   Code = "engine-error"      // the engine failed
	CodeRefused       Code = "refused"           // not sent: the write hook or the evidence gate said no, or it could destroy something
	CodeCancelled     Code = "cancelled"         // the caller gave up
	CodeWrongObject   Code = "wrong-object"      // another object than the expected one was found
	CodeNotWritable   Code = "copy-not-writable" // the hosts of the site may not write to the storage that is to be imported
	CodeGone          Code = "gone"              // the object vanished while it was waited for
)

// Error is the only kind of error that calls of this package return, apart from what a caller's own function returned to WaitVM.
type Error struct {
	Site, Op  string
	Subject   Subject
	Code      Code
	Status    int    // HTTP status, 0 without an answer
	Reason    string // the engine's words: kind of fault
	Detail    string // the engine's words
	Retryable bool   // the same call may succeed later without a change by people
	State     string // state of the object, when known
	Hint      string // what to do
	Err       error

	// unknown: a changing request was sent and its outcome is not known.
	unknown bool
	// unsent: the request certainly did not reach the engine.
	unsent bool
}

// Error renders one line: what was tried on what and where, then the engine's words or the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.what())
	b.WriteString(": ")
	switch {
	case e.Reason != "" || e.Detail != "":
		fmt.Fprintf(&b, "engine says %d: %s", e.Status, e.words())
		if e.Err != nil {
			fmt.Fprintf(&b, ": %v", e.Err)
		}
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	case e.Status != 0:
		fmt.Fprintf(&b, "engine answers %d without words", e.Status)
	default:
		b.WriteString(string(e.Code))
	}
	switch {
	case e.State == "":
	case e.Subject.Kind == KindAffinityLabel:
		fmt.Fprintf(&b, " (its id is %s)", e.State)
	case e.Subject.Kind == KindEvent:
		fmt.Fprintf(&b, " (it says %q)", e.State)
	default:
		fmt.Fprintf(&b, " (its state is %s)", e.State)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// what renders operation, object and site: `attach storage domain "nfs_ds" on secondary`.
func (e *Error) what() string {
	verb := e.Op
	if _, after, ok := strings.Cut(e.Op, "."); ok {
		verb = after
	}
	text := verb
	if e.Subject.Kind != "" && e.Subject.Kind != KindSite {
		text += " " + strings.ReplaceAll(e.Subject.Kind, "_", " ")
		switch {
		case e.Subject.Name != "":
			text += fmt.Sprintf(" %q", e.Subject.Name)
		case e.Subject.ID != "":
			text += " " + e.Subject.ID
		}
	}
	if verb == opLogin || verb == opOpen {
		return verb + " " + e.Site
	}
	return text + " on " + e.Site
}

// words are the engine's: the detail, which repeats the reason when it says more than that.
func (e *Error) words() string {
	text := e.Detail
	if text == "" || (e.Reason != "" && !strings.EqualFold(strings.TrimSuffix(e.Reason, "."), "operation failed")) {
		text = strings.TrimPrefix(strings.TrimSpace(e.Reason+": "+e.Detail), ": ")
	}
	text = strings.TrimSuffix(strings.TrimSpace(text), ":")
	return strings.Join(strings.Fields(text), " ")
}

// HasCode reports whether err is, or wraps, an *Error with that code.
func HasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// asError returns the *Error in err, if any.
func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// fault fills an error from an HTTP status and the engine's words. The words decide only between codes that callers treat
// alike in what they change: texts differ between versions, so the operations decide by reading the object (ovirt-engine
// ErrorMessageHelper.java has which code a message gets).
func (e *Error) fault(status int, reason, detail string) *Error {
	e.Status, e.Reason, e.Detail = status, strings.TrimSpace(reason), strings.TrimSpace(detail)
	text := strings.ToLower(detail)
	switch {
	case status == 401:
		e.Code = CodeCredentials
	case status == 403:
		e.Code = CodeForbidden
	case status == 404:
		e.Code = CodeNotFound
	case status == 409 && lockWords(text):
		e.Code, e.Retryable = CodeLocked, true
	case status == 409 && (strings.Contains(text, "name is already in use") || strings.Contains(text, "name already exists")):
		e.Code = CodeNameInUse
	case status == 409 && strings.Contains(text, "already exists"):
		e.Code = CodeAlreadyExists
	case status == 409:
		e.Code = CodeConflict
	case status == 502 || status == 503 || status == 504:
		e.Code, e.Retryable = CodeUnreachable, true
	case status >= 500:
		e.Code = CodeEngineError
	default:
		e.Code = CodeBadRequest
	}
	return e
}

// lockWords recognises the families of 409 texts that say "later": an engine lock, a locked object, or work under way that
// stands in the way (ovirt-engine AppErrors.properties: ACTION_TYPE_FAILED_OBJECT_LOCKED, ERROR_CANNOT_DEACTIVATE_…).
func lockWords(text string) bool {
	for _, part := range []string{"related operation is currently in progress", "is locked", "are locked", "being imported",
		"ovf data is currently being updated", "running tasks", "there are locked domains in the data center"} {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// transport fills an error from a failed round trip. parent is the caller's context, call the one bounded by the time-out.
func (e *Error) transport(parent, call context.Context, err error, caFile string) *Error {
	e.Err = err
	var dial *net.OpError
	e.unsent = errors.As(err, &dial) && dial.Op == "dial"
	var dns *net.DNSError
	switch {
	case parent.Err() != nil:
		e.given(parent)
	case call.Err() != nil:
		e.Code, e.Retryable = CodeTimeout, true
		e.Err = errors.New("no answer in time")
	case e.tls(err, caFile):
		e.unsent = true
	case errors.As(err, &dns):
		e.Code, e.Retryable, e.unsent = CodeUnreachable, true, true
		e.Err = fmt.Errorf("host name %q is not known here", dns.Name)
		e.Hint = "check the url of the site and this machine's name resolution"
	case isTimeout(err):
		e.Code, e.Retryable = CodeTimeout, true
		if e.unsent {
			e.Code = CodeUnreachable
		}
	default:
		e.Code, e.Retryable = CodeUnreachable, true
		e.Err = plain(err)
	}
	return e
}

// given makes the error one of a call that its caller gave up, or gave no more time.
func (e *Error) given(ctx context.Context) {
	e.Code, e.Retryable = CodeCancelled, false
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		e.Code, e.Retryable = CodeTimeout, true
	}
	e.Err = fmt.Errorf("given up: %w", context.Cause(ctx))
}

// plain drops the parts of a connection error that repeat what the message says anyway.
func plain(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("connection refused: %w", err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("no route to the engine: %w", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the connection was closed in the middle: %w", err)
	}
	return err
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// tls recognises refused certificates and tells whose came and why it was not accepted.
func (e *Error) tls(err error, caFile string) bool {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		verify    *tls.CertificateVerificationError
		record    tls.RecordHeaderError
		alert     tls.AlertError
	)
	ca := "the CA certificates of this system"
	if caFile != "" {
		ca = "the CA in " + caFile
	}
	const pki = "get the engine's CA from https://ENGINE/ovirt-engine/services/pki-resource?resource=ca-certificate&format=X509-PEM-CA, compare its fingerprint by another way, and name it as ca_file"
	var leaf *x509.Certificate
	if errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 {
		leaf = verify.UnverifiedCertificates[0]
	}
	switch {
	case errors.As(err, &host):
		e.Err = fmt.Errorf("the certificate %s is for %s, not for %q", certificate(host.Certificate), certificateNames(host.Certificate), host.Host)
		e.Hint = "use the engine's own host name in the url, the one its certificate was made for"
	case errors.As(err, &invalid):
		e.Err = fmt.Errorf("the certificate %s is not valid, checked against %s: %w", certificate(invalid.Cert), ca, invalid)
		if invalid.Reason == x509.Expired {
			e.Err = fmt.Errorf("the certificate %s is valid from %s to %s only, checked against %s", certificate(invalid.Cert),
				invalid.Cert.NotBefore.UTC().Format("2006-01-02"), invalid.Cert.NotAfter.UTC().Format("2006-01-02"), ca)
			e.Hint = "renew the engine's certificate (engine-setup) or correct this machine's clock"
		}
	case errors.As(err, &authority):
		if authority.Cert != nil && leaf == nil {
			leaf = authority.Cert
		}
		e.Err = fmt.Errorf("the certificate %s is not signed by %s", certificate(leaf), ca)
		e.Hint = pki
	case verify != nil:
		e.Err = fmt.Errorf("the certificate %s was not accepted, checked against %s: %w", certificate(leaf), ca, verify.Err)
		e.Hint = pki
	case errors.As(err, &record):
		e.Err = errors.New("the server does not speak TLS on this port")
		e.Hint = "check scheme and port of the site's url"
	case errors.As(err, &alert):
		e.Err = fmt.Errorf("the TLS handshake failed: %w", alert)
	default:
		return false
	}
	e.Code = CodeTLS
	return true
}

func certificate(cert *x509.Certificate) string {
	if cert == nil {
		return "of the engine"
	}
	return fmt.Sprintf("of %q, issued by %q,", cert.Subject.String(), cert.Issuer.String())
}

func certificateNames(cert *x509.Certificate) string {
	names := append([]string(nil), cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host name at all"
	}
	return strings.Join(names, ", ")
}
