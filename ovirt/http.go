package ovirt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// call is one request of the API.
type call struct {
	op          string
	subject     Subject
	method      string
	path        string // below the API root, escaped
	query       url.Values
	body        []byte
	correlation string
	class       class
	timeout     time.Duration // of one request; 0 means Options.CallTimeout
	once        bool          // do not repeat a read that found no engine
}

// segment escapes an id for a path.
func segment(id string) string { return url.PathEscape(id) }

// sound refuses a path with an empty part, or one that names its own or the upper folder: with an id that is missing, a request
// about an object would become one about something else.
func sound(path string) error {
	if path == "" {
		return nil
	}
	for _, part := range strings.Split(path, "/")[1:] {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("%q in %s is not an id", part, path)
		}
	}
	return nil
}

// request sends one request with the token and returns the answer. Bodies and tokens are never logged.
func (s *Site) request(ctx context.Context, c call, token string) (*http.Response, error) {
	u := *s.api
	u.RawPath = s.api.EscapedPath() + c.path
	path, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, fmt.Errorf("path %q: %w", c.path, err)
	}
	u.Path = path
	u.RawQuery = c.query.Encode()
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/xml")
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("Version", "4")
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", userAgent)
	if c.body != nil {
		req.Header.Set("Content-Type", "application/xml")
	}
	if c.correlation != "" {
		req.Header.Set("Correlation-Id", c.correlation)
	}
	s.count(c.class)
	started := s.o.Clock.Now()
	resp, err := s.transport.RoundTrip(req)
	status := 0
	if err == nil {
		status = resp.StatusCode
	}
	s.log.Debug("request", "method", c.method, "path", c.path, "query", u.RawQuery, "status", status,
		"took", s.o.Clock.Now().Sub(started), "correlation", c.correlation, "error", err)
	return resp, err
}

const userAgent = "drrun"

// repeated marks a context whose reads are repeated each tick.
type repeated struct{}

// Repeated returns a context under which reads count as polls: for a caller that looks at the same things once a tick as long as others
// wait or go on.
func Repeated(ctx context.Context) context.Context { return context.WithValue(ctx, repeated{}, true) }

// read sends a read, repeats it with a back-off while the engine cannot be reached, and decodes the answer. A token that the
// engine does not accept any more is renewed once.
func read[T any](ctx context.Context, s *Site, c call, decode decoder[T]) (out T, err error) {
	c.method = http.MethodGet
	if c.op == "" {
		c.op = opRead
	}
	if c.class == classRead && ctx.Value(repeated{}) != nil {
		c.class = classPoll
	}
	if c.timeout == 0 {
		c.timeout = s.o.CallTimeout
	}
	if err := sound(c.path); err != nil {
		return out, s.fail(c.op, c.subject, CodeBadRequest, err)
	}
	if err := s.findPassword(ctx); err != nil {
		return out, s.adopt(c, err)
	}
	bounded, cancel := s.o.Clock.WithTimeout(ctx, max(c.timeout, s.patience(ctx)))
	defer cancel()
	refused := ""
	for n := 0; ; n++ {
		var failure *Error
		token, err := s.authorizeInTime(ctx, bounded, refused)
		if err == nil {
			out, failure = readOnce(bounded, s, c, token, decode)
			if failure != nil && ctx.Err() != nil {
				failure.given(ctx)
			}
			if failure == nil {
				return out, nil
			}
			if failure.Code == CodeCredentials && refused == "" {
				refused = token
				continue
			}
		} else {
			failure = s.adopt(c, err)
		}
		if !failure.Retryable || c.once || ctx.Err() != nil || bounded.Err() != nil {
			return out, failure
		}
		if s.pause(bounded, backoff(n)) != nil {
			if ctx.Err() != nil {
				failure.given(ctx)
			}
			return out, failure
		}
	}
}

type patientKey struct{}

// patiently marks the context of an operation that changes something: an engine that restarts in the middle of it is waited for,
// because an operation that is given up half way costs more than the wait.
func patiently(ctx context.Context) context.Context {
	return context.WithValue(ctx, patientKey{}, true)
}

// patience is how long a call repeats itself while the engine does not answer.
func (s *Site) patience(ctx context.Context) time.Duration {
	if ctx.Value(patientKey{}) != nil {
		return max(patience, s.o.CallTimeout)
	}
	return s.o.CallTimeout
}

// authorizeInTime is authorize with the time of one read.
func (s *Site) authorizeInTime(ctx, bounded context.Context, refused string) (string, error) {
	one, cancel := s.o.Clock.WithTimeout(bounded, s.o.CallTimeout)
	defer cancel()
	return s.authorize(ctx, one, refused)
}

// adopt makes an error of a login the error of the call that needed it.
func (s *Site) adopt(c call, err error) *Error {
	if e, ok := asError(err); ok {
		adopted := *e
		adopted.Op, adopted.Subject = c.op, c.subject
		return &adopted
	}
	return s.fail(c.op, c.subject, CodeUnreachable, err)
}

func readOnce[T any](ctx context.Context, s *Site, c call, token string, decode decoder[T]) (out T, failure *Error) {
	failure = s.fail(c.op, c.subject, "", nil)
	bounded, cancel := s.o.Clock.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := s.request(bounded, c, token)
	if err != nil {
		return out, failure.transport(ctx, bounded, err, s.o.CAFile)
	}
	defer drain(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return out, s.refusal(ctx, bounded, failure, resp)
	}
	if !isXML(resp.Header.Get("Content-Type")) {
		return out, badReply(failure, resp)
	}
	d := newDocument(resp.Body)
	out, err = decode(d)
	if err == nil {
		return out, nil
	}
	var none T
	if d.source.err != nil {
		return none, failure.transport(ctx, bounded, d.source.err, s.o.CAFile)
	}
	failure.Status, failure.Code, failure.Err = resp.StatusCode, CodeBadReply, err
	return none, failure
}

// refusal turns an answer with another status than the expected one into an error.
func (s *Site) refusal(ctx, bounded context.Context, failure *Error, resp *http.Response) *Error {
	kind := resp.Header.Get("Content-Type")
	body := &source{r: resp.Body}
	reason, detail, engine := readFault(kind, body)
	if body.err != nil && bounded.Err() != nil {
		return failure.transport(ctx, bounded, body.err, s.o.CAFile)
	}
	switch {
	case resp.StatusCode < 300 || resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden || resp.StatusCode >= 500:
	case resp.StatusCode < 400:
		failure.Code, failure.Status = CodeNotAnEngine, resp.StatusCode
		failure.Err = fmt.Errorf("the server redirects (%d) to %s", resp.StatusCode, place(resp.Header.Get("Location")))
		return failure
	case !engine:
		// A 404 page of the web server is no word of the engine: while the engine starts, every path answers so. Taken
		// for "there is no such object" it would be believed.
		failure.Code, failure.Status, failure.Retryable = CodeBadReply, resp.StatusCode, resp.StatusCode == http.StatusNotFound
		failure.Err = fmt.Errorf("the answer %d is not the engine's%s", resp.StatusCode, called(detail))
		return failure
	}
	if !engine {
		reason, detail = "", ""
	}
	failure.fault(resp.StatusCode, reason, detail)
	switch failure.Code {
	case CodeCredentials:
		failure.Err = errors.New("the engine does not accept the session")
	case CodeForbidden:
		failure.Hint = "the user needs the role SuperUser, or the admin roles of the objects concerned"
	case CodeUnreachable:
		failure.Err = fmt.Errorf("the web server of the site answers %d: the engine behind it does not run", resp.StatusCode)
	}
	if resp.StatusCode < 300 {
		failure.Code, failure.Err = CodeBadReply, fmt.Errorf("unexpected answer %d", resp.StatusCode)
	}
	return failure
}

// place shows where a redirect goes, without its query.
func place(location string) string {
	u, err := url.Parse(location)
	if err != nil || location == "" {
		return "nowhere"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func called(title string) string {
	if title == "" {
		return ""
	}
	return fmt.Sprintf(" (a page called %q)", title)
}

func badReply(failure *Error, resp *http.Response) *Error {
	head, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	failure.Code, failure.Status = CodeBadReply, resp.StatusCode
	kind := resp.Header.Get("Content-Type")
	switch {
	case len(bytes.TrimSpace(head)) == 0:
		failure.Err = fmt.Errorf("the answer %d is empty", resp.StatusCode)
	case kind == "":
		failure.Err = fmt.Errorf("the answer %d is not XML", resp.StatusCode)
	default:
		failure.Err = fmt.Errorf("the answer %d is %s, not XML%s", resp.StatusCode, kind, called(title(head)))
	}
	return failure
}

// drain reads the rest of a body, within reason, so that the connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 256<<10)
	_ = body.Close()
}

// loginCall is a login under way. All that need a token meanwhile wait for it and share its outcome: a wrong password is tried
// once, not once per caller, or the account would be locked.
type loginCall struct {
	done  chan struct{}
	token string
	err   error
}

// authorize returns a token other than refused, logging in when there is none.
func (s *Site) authorize(ctx, bounded context.Context, refused string) (string, error) {
	for {
		s.mu.Lock()
		if s.token != "" && s.token != refused {
			token := s.token
			s.mu.Unlock()
			return token, nil
		}
		running := s.login
		if running == nil {
			running = &loginCall{done: make(chan struct{})}
			s.login = running
			s.mu.Unlock()
			running.token, running.err = s.logIn(ctx, bounded)
			s.issued.add(running.token)
			s.mu.Lock()
			s.token, s.login = running.token, nil
			s.mu.Unlock()
			close(running.done)
			return running.token, running.err
		}
		s.mu.Unlock()
		if _, err := s.o.Clock.Wait(bounded, -1, running.done); err != nil {
			return "", s.fail(opLogin, Subject{Kind: KindSite, Name: s.o.Name}, "", nil).transport(ctx, bounded, err, s.o.CAFile)
		}
		// A login that its own caller gave up says nothing: try oneself.
		if running.err != nil && !HasCode(running.err, CodeCancelled) && !HasCode(running.err, CodeTimeout) {
			return "", running.err
		}
	}
}

// findPassword asks for a password that is found only when it is needed. It comes before any time-out of a request: a person may have to
// be asked.
func (s *Site) findPassword(ctx context.Context) error {
	s.mu.Lock()
	known := s.password != "" || s.o.FindPassword == nil
	s.mu.Unlock()
	if known {
		return nil
	}
	password, err := s.o.FindPassword(ctx)
	if err != nil {
		failure := s.fail(opLogin, Subject{Kind: KindSite, Name: s.o.Name}, CodeCredentials, err)
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted) {
			failure.Hint = hinted.Hint()
		}
		return failure
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.password = password
	return nil
}

// logIn gets a token from the engine's single sign-on (ovirt-engine OAuthTokenServlet.java). The user name is opaque.
func (s *Site) logIn(ctx, bounded context.Context) (string, error) {
	failure := s.fail(opLogin, Subject{Kind: KindSite, Name: s.o.Name}, "", nil)
	s.mu.Lock()
	password := s.password
	s.mu.Unlock()
	form := url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {s.o.Username}, "password": {password}}
	resp, err := s.postForm(bounded, "/sso/oauth/token", form)
	if err != nil {
		return "", failure.transport(ctx, bounded, err, s.o.CAFile)
	}
	defer drain(resp.Body)
	body := &source{r: io.LimitReader(resp.Body, maxFault)}
	text, err := io.ReadAll(body)
	if err != nil {
		return "", failure.transport(ctx, bounded, err, s.o.CAFile)
	}
	failure.Status = resp.StatusCode
	var answer struct {
		AccessToken string `json:"access_token"`
		ErrorCode   string `json:"error_code"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	parsed := json.Unmarshal(text, &answer) == nil
	switch {
	case resp.StatusCode == http.StatusOK && parsed && answer.AccessToken != "":
		return answer.AccessToken, nil
	case parsed && (answer.ErrorCode != "" || answer.Error != ""):
		code := answer.ErrorCode
		if code == "" {
			code = answer.Error
		}
		failure.Code = CodeCredentials
		failure.Err = fmt.Errorf("the engine refused the user name or password (%s)", code)
		failure.Hint = "write the user name as this engine wants it, with the profile after the last @: 4.4 uses admin@internal, 4.5 with Keycloak admin@ovirt@internal"
		if code == "server_error" || resp.StatusCode >= 500 {
			failure.Code, failure.Retryable = CodeEngineError, true
			failure.Err = fmt.Errorf("the engine's single sign-on failed (%s)", code)
			failure.Hint = ""
		}
		return "", failure
	case resp.StatusCode == http.StatusBadGateway, resp.StatusCode == http.StatusServiceUnavailable, resp.StatusCode == http.StatusGatewayTimeout:
		failure.Code, failure.Retryable = CodeUnreachable, true
		failure.Err = fmt.Errorf("the web server of the site answers %d: the engine behind it does not run", resp.StatusCode)
		return "", failure
	}
	failure.Code = CodeNotAnEngine
	// An engine that starts has no single sign-on yet, and answers with a page of its web server.
	failure.Retryable = resp.StatusCode == http.StatusNotFound || resp.StatusCode >= 500
	failure.Err = fmt.Errorf("no oVirt engine answers at %s: the answer %d of its single sign-on is not a token%s", s.base, resp.StatusCode, called(title(text)))
	failure.Hint = "check the url of the site: https://HOST/ovirt-engine/api"
	return "", failure
}

// postForm sends a form to a service of the engine outside the API.
func (s *Site) postForm(ctx context.Context, path string, form url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base.String()+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json") // compared for equality by the engine (ovirt-engine SsoService.java)
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", userAgent)
	return s.transport.RoundTrip(req)
}

// logout gives a token back (ovirt-engine SsoLogoutServlet.java). The engine answers 200 whatever happens, so there is nothing to report.
func (s *Site) logout(ctx context.Context, token string) {
	bounded, cancel := s.o.Clock.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := s.postForm(bounded, "/services/sso-logout", url.Values{"scope": {"ovirt-app-api"}, "token": {token}})
	if err == nil {
		drain(resp.Body)
	}
}
