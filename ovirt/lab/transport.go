package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Transport returns a round tripper that reaches the engines in process, by the host names of the sites' URLs. It starts no
// goroutine. An engine that does not answer gives a connection error, as a closed port would.
func (l *Lab) Transport() http.RoundTripper { return transport{l} }

type transport struct{ lab *Lab }

// recorder holds an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// broken is a body that breaks off.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (broken) Close() error { return nil }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var sent []byte
	if req.Body != nil {
		var err error
		sent, err = io.ReadAll(req.Body)
		if closeErr := req.Body.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return nil, err
		}
	}
	if err := req.Context().Err(); err != nil {
		return nil, context.Cause(req.Context())
	}
	l, name := t.lab, req.URL.Hostname()
	l.lock()
	var e *engine
	for _, o := range l.engines {
		if u, err := url.Parse(o.spec.URL); err == nil && strings.EqualFold(u.Hostname(), name) {
			e = o
		}
	}
	up := e != nil && e.answers
	l.mu.Unlock()
	if e == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}}
	}
	if !up {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	served := req.Clone(req.Context())
	served.Body, served.RequestURI = io.NopCloser(bytes.NewReader(sent)), req.URL.RequestURI()
	if served.Host == "" {
		served.Host = req.URL.Host
	}
	rec := &recorder{header: http.Header{}}
	aborted := serveAborted(func() { l.serve(e, rec, served) })
	if req.Context().Err() != nil {
		return nil, context.Cause(req.Context())
	}
	if aborted && rec.status == 0 {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	answer := &http.Response{Status: http.StatusText(rec.status), StatusCode: rec.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: rec.header, Body: io.NopCloser(&rec.body), ContentLength: int64(rec.body.Len()), Request: req}
	if aborted {
		answer.Body, answer.ContentLength = broken{&rec.body}, -1
	}
	return answer, nil
}

// serveAborted reports whether f gave up with http.ErrAbortHandler.
func serveAborted(f func()) (aborted bool) {
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			aborted = true
		}
	}()
	f()
	return false
}
