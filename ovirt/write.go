package ovirt

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Write is one request that changes the engine, as the hook sees it before it leaves.
type Write struct {
	Site, Op     string
	Subject      Subject
	Method, Path string // Path is below the API root, with the query
	Body         []byte
	Retry        string // why it is sent again; empty the first time
	Correlation  string // set by the hook, sent as Correlation-Id
}

// WriteResult is how a request ended.
type WriteResult struct {
	Status  int   // HTTP status; 0 when there was no answer
	Err     error // nil when the engine accepted the request
	Unknown bool  // it was sent, and no answer was understood: only reading the object tells
}

// WriteHook is called before every request that changes the engine leaves, each repeat included. When it returns an error the
// request is not sent. done, which may be nil, is called once, when the request has ended.
type WriteHook func(ctx context.Context, w *Write) (done func(WriteResult), err error)

// change is one changing request.
type change struct {
	op      string
	subject Subject
	method  string
	path    string
	query   url.Values
	body    any                         // encoded as XML; nil means none
	told    any                         // what the hook sees in the place of a body with a secret; nil: the body
	gate    func(context.Context) error // last word before the request is sent
	accept  func(d *document) error     // reads the answer; an error means that it was not understood
	retry   string                      // why it is sent again
	sent    *string                     // receives the correlation id
	aside   bool                        // a mark that people read: it takes no place from the work, and says nothing about how fast the engine is
}

// perform sends a changing request. It repeats it by itself only when the engine certainly has not seen it: no connection, or a
// token that is not accepted any more. Every other failure is for the caller, who reads the object before anything else is done;
// unknown() on the error tells that the request may have taken effect.
func (s *Site) perform(ctx context.Context, c change) *Error {
	if err := sound(c.path); err != nil {
		return s.fail(c.op, c.subject, CodeBadRequest, err)
	}
	var body []byte
	if c.body != nil {
		encoded, err := xml.Marshal(c.body)
		if err != nil {
			return s.fail(c.op, c.subject, CodeBadRequest, err)
		}
		body = encoded
	}
	told := body
	if c.told != nil {
		shown, err := xml.Marshal(c.told)
		if err != nil {
			return s.fail(c.op, c.subject, CodeBadRequest, err)
		}
		told = shown
	}
	reach, cancel := s.o.Clock.WithTimeout(ctx, s.patience(ctx))
	defer cancel()
	refused := ""
	for n := 0; ; n++ {
		failure, token := s.performOnce(ctx, c, body, told, refused)
		if failure == nil {
			return nil
		}
		switch {
		case failure.Status == http.StatusUnauthorized && refused == "" && token != "":
			refused = token
			c.retry = "the engine did not accept the session any more (401) and did nothing; logged in again"
		case failure.unsent && failure.Retryable && ctx.Err() == nil && reach.Err() == nil:
			if s.pause(reach, backoff(n)) != nil {
				return failure
			}
			if token != "" { // the hook has seen it
				c.retry = "it could not be sent: " + failure.Err.Error()
			}
		default:
			return failure
		}
	}
}

// performOnce sends a changing request once. token is the one that was used, "" when the request got not so far.
func (s *Site) performOnce(ctx context.Context, c change, body, told []byte, refused string) (failure *Error, token string) {
	if err := s.findPassword(ctx); err != nil {
		return s.adopt(call{op: c.op, subject: c.subject}, err), ""
	}
	sent := s.o.Clock.Now()
	good, pressed := false, false
	if !c.aside {
		if err := s.limit.acquire(ctx); err != nil {
			return s.fail(c.op, c.subject, "", nil).transport(ctx, ctx, err, ""), ""
		}
		sent = s.o.Clock.Now()
		defer func() { s.limit.release(c.op, sent, s.o.Clock.Now().Sub(sent), good, pressed) }()
	}

	bounded, cancel := s.o.Clock.WithTimeout(ctx, actionTimeout)
	defer cancel()
	login, cancelLogin := s.o.Clock.WithTimeout(ctx, s.o.CallTimeout)
	token, err := s.authorize(ctx, login, refused)
	cancelLogin()
	if err != nil {
		failure = s.adopt(call{op: c.op, subject: c.subject}, err)
		failure.unsent = failure.Code == CodeUnreachable
		failure.Status = 0
		return failure, ""
	}
	if c.gate != nil {
		if err := c.gate(ctx); err != nil {
			return s.fail(c.op, c.subject, CodeRefused, fmt.Errorf("not sent: %w", err)), ""
		}
	}
	w := &Write{Site: s.o.Name, Op: c.op, Subject: c.subject, Method: c.method, Path: c.path, Body: told, Retry: c.retry}
	if len(c.query) > 0 {
		w.Path += "?" + c.query.Encode()
	}
	var done func(WriteResult)
	if s.o.OnWrite != nil {
		done, err = s.o.OnWrite(ctx, w)
		if err != nil {
			return s.fail(c.op, c.subject, CodeRefused, fmt.Errorf("not sent: %w", err)), ""
		}
	}
	if c.sent != nil {
		*c.sent = w.Correlation
	}
	sent = s.o.Clock.Now()
	status, failure := s.exchange(ctx, bounded, c, body, token, w.Correlation)
	good = failure == nil
	result := WriteResult{Status: status}
	if failure != nil {
		result.Err, result.Unknown = failure, failure.unknown
		pressed = failure.Code == CodeLocked || (failure.Retryable && !failure.unsent)
	}
	if done != nil {
		done(result)
	}
	return failure, token
}

// exchange is the round trip of a changing request and the judgement of its answer.
func (s *Site) exchange(ctx, bounded context.Context, c change, body []byte, token, correlation string) (int, *Error) {
	failure := s.fail(c.op, c.subject, "", nil)
	resp, err := s.request(bounded, call{method: c.method, path: c.path, query: c.query, body: body, correlation: correlation, class: classWrite}, token)
	if err != nil {
		failure.transport(ctx, bounded, err, s.o.CAFile)
		failure.unknown = !failure.unsent
		return 0, failure
	}
	defer drain(resp.Body)
	status := resp.StatusCode
	if status != http.StatusOK && status != http.StatusCreated && status != http.StatusAccepted {
		kind := resp.Header.Get("Content-Type")
		s.refusal(ctx, bounded, failure, resp)
		// A 5xx that carries no fault of the engine (a web server's page, an empty body) does not say how far the engine came.
		failure.unknown = status >= 500 && (!isXML(kind) || failure.Reason+failure.Detail == "")
		if failure.unknown && failure.Code == CodeEngineError {
			failure.Retryable = true
		}
		return status, failure
	}
	unclear := func(err error) (int, *Error) {
		failure.Code, failure.Status, failure.Err, failure.unknown, failure.Retryable = CodeBadReply, status, err, true, true
		return status, failure
	}
	if !isXML(resp.Header.Get("Content-Type")) {
		badReply(failure, resp)
		return unclear(failure.Err)
	}
	d := newDocument(resp.Body)
	err = c.accept(d)
	var refused *Error
	switch {
	case err == nil:
		return status, nil
	case errors.As(err, &refused):
		refused.Site, refused.Op, refused.Subject, refused.Status = s.o.Name, c.op, c.subject, status
		return status, refused
	case d.source.err != nil:
		failure.transport(ctx, bounded, d.source.err, s.o.CAFile)
		failure.Status, failure.unknown, failure.unsent = status, true, false
		return status, failure
	}
	return unclear(err)
}

// acceptAction reads the answer of an action. A fault or the status "failed" under HTTP 200 is a failure (ovirt-engine
// AbstractBackendActionableResource.java).
func acceptAction(d *document) error {
	a, err := decodeAction(d)
	if err != nil {
		return err
	}
	return a.refusal()
}

// refusal is the error of an action that the engine answered with a fault, or as failed.
func (a action) refusal() error {
	if a.Faulty || a.Status == "failed" {
		e := &Error{Code: CodeEngineError, Reason: a.Reason, Detail: a.Detail}
		if a.Reason+a.Detail == "" {
			e.Err = errors.New("the engine answers that the action failed, without words")
		}
		return e
	}
	return nil
}

// acceptInto reads the answer of a request that returns an object.
func acceptInto[T any](decode decoder[T], into *T) func(*document) error {
	return func(d *document) error {
		object, err := decode(d)
		if err == nil {
			*into = object
		}
		return err
	}
}

// settle finds out by reading whether a request whose outcome is unknown took effect. It looks until it did, or until the engine
// has answered "no" for settleWindow: a request that the engine still works on shows late. An engine that does not answer
// meanwhile is waited for, as long as ctx allows and for actionTimeout at most: then the outcome stays unknown, and the error is its
// silence.
func (s *Site) settle(ctx context.Context, look func(context.Context) (reached bool, err error)) (bool, error) {
	var since time.Time
	end := s.o.Clock.Now().Add(actionTimeout)
	for n := 0; ; n++ {
		reached, err := look(ctx)
		switch {
		case err == nil && reached:
			return true, nil
		case err != nil && (!passing(err) || !s.o.Clock.Now().Before(end)):
			return false, err
		case err == nil && since.IsZero():
			since = s.o.Clock.Now()
		case err == nil && s.o.Clock.Now().Sub(since) >= settleWindow:
			return false, nil
		}
		if waitErr := s.pause(ctx, s.o.Tick); waitErr != nil {
			if err == nil {
				err = waitErr
			}
			return false, err
		}
	}
}

// unsettled is the reason of a repeat after settle said no.
func unsettled(failure *Error) string {
	return fmt.Sprintf("no answer was understood (%v), and the object did not show the change for %s", failure.cause(), settleWindow)
}

// locked is the reason of a repeat after the engine said "later".
func locked(failure *Error) string { return "the engine said later: " + failure.words() }

// cause is the short form of an error for reasons.
func (e *Error) cause() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Reason+e.Detail != "":
		return e.words()
	}
	return fmt.Sprintf("%s %d", e.Code, e.Status)
}

// maxRepeats bounds how often a request is sent again after an unknown outcome.
const maxRepeats = 3

// eventWords collects what the engine's events say, newest first: up to three errors of those that the filter takes, or else
// warnings. It is for messages only, so trouble in reading is no words.
func (s *Site) eventWords(ctx context.Context, q EventQuery, take func(Event) bool) string {
	events, err := s.Events(ctx, q)
	if err != nil {
		return ""
	}
	for _, severities := range [][]string{{"error", "alert"}, {"warning"}} {
		var words []string
		for _, event := range events {
			if len(words) < 3 && event.Description != "" && slices.Contains(severities, event.Severity) && take(event) {
				words = append(words, event.Description)
			}
		}
		if len(words) > 0 {
			return strings.Join(words, "; ")
		}
	}
	return ""
}

// Bodies of changing requests. They are written with encoding/xml and not with go-ovirt's writers, which do not escape the text
// of elements (measured). None has a member that creates or formats anything: no name and no logical units in a storage
// domain, no format, no override.
type (
	actionXML struct {
		XMLName xml.Name `xml:"action"`
	}
	refXML struct {
		ID string `xml:"id,attr"`
	}
	hostActionXML struct {
		XMLName xml.Name `xml:"action"`
		Host    refXML   `xml:"host"`
	}
	importXML struct {
		XMLName xml.Name `xml:"storage_domain"`
		ID      string   `xml:"id,attr"`
		Type    string   `xml:"type"`
		Host    refXML   `xml:"host"`
		Storage struct {
			Type         string `xml:"type"`
			Address      string `xml:"address,omitempty"`
			Path         string `xml:"path"`
			VFSType      string `xml:"vfs_type,omitempty"`
			MountOptions string `xml:"mount_options,omitempty"`
			NFSVersion   string `xml:"nfs_version,omitempty"`
		} `xml:"storage"`
	}
	// importBlockXML cannot be written without import=true: the same request without it makes a new domain on LUNs.
	importBlockXML struct {
		XMLName xml.Name `xml:"storage_domain"`
		ID      string   `xml:"id,attr"`
		Import  always   `xml:"import"`
		Type    string   `xml:"type"`
		Host    refXML   `xml:"host"`
		Storage struct {
			Type string `xml:"type"`
		} `xml:"storage"`
	}
	attachXML struct {
		XMLName xml.Name `xml:"storage_domain"`
		ID      string   `xml:"id,attr"`
	}
	registerXML struct {
		XMLName       xml.Name          `xml:"action"`
		Partial       bool              `xml:"allow_partial_import"`
		ReassignMACs  bool              `xml:"reassign_bad_macs"`
		Cluster       *refXML           `xml:"cluster,omitempty"`
		Configuration *configurationXML `xml:"registration_configuration,omitempty"`
	}
	registerTemplateXML struct {
		XMLName       xml.Name          `xml:"action"`
		Partial       bool              `xml:"allow_partial_import"`
		Cluster       *refXML           `xml:"cluster,omitempty"`
		Configuration *configurationXML `xml:"registration_configuration,omitempty"`
	}
	configurationXML struct {
		LUNs *lunMappingsXML `xml:"lun_mappings,omitempty"`
		NICs *nicMappingsXML `xml:"vnic_profile_mappings,omitempty"`
	}
	nicMappingsXML struct {
		Mappings []nicMappingXML `xml:"registration_vnic_profile_mapping"`
	}
	lunMappingsXML struct {
		Mappings []lunMappingXML `xml:"registration_lun_mapping"`
	}
	lunMappingXML struct {
		From lunStorageXML `xml:"from>lun_storage"`
		To   lunStorageXML `xml:"to>lun_storage"`
	}
	lunStorageXML struct {
		Units []lunUnitXML `xml:"logical_units>logical_unit"`
		Type  string       `xml:"type"`
	}
	lunUnitXML struct {
		ID       string `xml:"id,attr"`
		Address  string `xml:"address,omitempty"`
		Password string `xml:"password,omitempty"`
		Port     int    `xml:"port,omitempty"`
		Target   string `xml:"target,omitempty"`
		Username string `xml:"username,omitempty"`
	}
	nicMappingXML struct {
		From struct {
			Name    string `xml:"name"`
			Network string `xml:"network>name"`
		} `xml:"from"`
		To struct {
			ID      string `xml:"id,attr,omitempty"`
			Name    string `xml:"name"`
			Network string `xml:"network>name"`
		} `xml:"to"`
	}
	nicXML struct {
		XMLName xml.Name `xml:"nic"`
		Profile profileXML
	}
	profileXML struct {
		XMLName xml.Name `xml:"vnic_profile"`
		ID      string   `xml:"id,attr,omitempty"`
	}
)

// always is the value true, and no other.
type always struct{}

func (always) MarshalText() ([]byte, error) { return []byte("true"), nil }

// nicMappings has the fail-safe form: the target by id, with empty names, so that an id that is not usable leaves the NIC without a
// profile rather than on a network of the source's name (ovirt-engine MapVnicFlow.java). Each source profile appears once; when NICs ask for
// different targets of one source profile, the first is sent and the others are for UpdateNIC.
func nicMappings(targets []NICTarget) *nicMappingsXML {
	var out nicMappingsXML
	seen := map[[2]string]bool{}
	for _, target := range targets {
		from := [2]string{target.FromNetwork, target.FromProfile}
		if seen[from] || target.FromNetwork == "" || target.FromProfile == "" {
			continue
		}
		seen[from] = true
		var m nicMappingXML
		m.From.Name, m.From.Network, m.To.ID = target.FromProfile, target.FromNetwork, target.ToProfileID
		out.Mappings = append(out.Mappings, m)
	}
	if len(out.Mappings) == 0 {
		return nil
	}
	return &out
}

// lunMappings leads the LUNs of an OVF to those of this site. password says what stands for the passwords of CHAP.
func lunMappings(targets []LUNTarget, password func(string) string) *lunMappingsXML {
	if len(targets) == 0 {
		return nil
	}
	var out lunMappingsXML
	for _, target := range targets {
		m := lunMappingXML{From: lunStorageXML{Type: storageFCP, Units: []lunUnitXML{{ID: target.FromID}}}, To: lunStorageXML{Type: storageFCP, Units: []lunUnitXML{{ID: target.ToID}}}}
		if len(target.Targets) > 0 {
			t := target.Targets[0]
			m.To = lunStorageXML{Type: storageISCSI, Units: []lunUnitXML{{ID: target.ToID, Address: t.Address, Port: t.Port, Target: t.IQN, Username: t.Username, Password: password(t.Password)}}}
		}
		out.Mappings = append(out.Mappings, m)
	}
	return &out
}

// configuration is what a registration maps, nil for nothing.
func configuration(nics []NICTarget, luns []LUNTarget, password func(string) string) *configurationXML {
	out := configurationXML{LUNs: lunMappings(luns, password), NICs: nicMappings(nics)}
	if out.LUNs == nil && out.NICs == nil {
		return nil
	}
	return &out
}

// shown and hidden are how a password is written: as it is to the engine, and not at all to whoever looks on.
func shown(password string) string { return password }

func hidden(password string) string {
	if password == "" {
		return ""
	}
	return "***"
}
