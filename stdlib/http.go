package stdlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"drrun/lua"
)

// recordedHeaders are those of an answer to a change that are recorded. Others can hold the key of a session.
var recordedHeaders = []string{"Content-Type", "Etag", "Location", "Retry-After"}

// httpModule declares the module http.
func httpModule(o *outside) lua.Module {
	return lua.Module{
		Name:    "http",
		Records: []lua.Record{lua.NewRecord("http_answer", "What a server answered.", "status integer | Status.", "headers table<string, any> | Headers by name in small letters; those that hide names are secrets.", "body string | Body.", "json? any | What the body says, where it is JSON.", "truncated boolean | The body is cut.")},
		Doc: "HTTP and HTTPS, with JSON. An answer is { status =, headers = (by name in small letters), body =, json = (where the answer is JSON), truncated = }. " +
			"Another status than those expected raises http-failed with what the server said. get and head observe; post, put, patch and delete are changes, unless observe is true. HTTPS_PROXY, HTTP_PROXY and NO_PROXY count.",
		Funcs: []lua.Func{
			o.lookFunc("get", http.MethodGet, "Reads. Tries again where the server cannot be reached or is busy (429, 502, 503, 504)."),
			o.lookFunc("head", http.MethodHead, "Reads the headers only."),
			o.reachFunc(),
			o.sendFunc("post", http.MethodPost),
			o.sendFunc("put", http.MethodPut),
			o.sendFunc("patch", http.MethodPatch),
			o.sendFunc("delete", http.MethodDelete),
		},
	}
}

func requestParams(timeout string) []lua.Param {
	return append([]lua.Param{
		{Name: "url", Type: lua.String, Positional: true, Doc: "Address, http:// or https://, without a user in it."},
		{Name: "query", Type: lua.Map(lua.OneOf(lua.String, lua.Number, lua.Bool)), Optional: true, Doc: "Parameters to put behind the address."},
		{Name: "headers", Type: lua.Map(textOrSecret()), Optional: true, Doc: "Headers; a value may be a dr.secret."},
		{Name: "user", Type: lua.String, Optional: true, Doc: "User for basic authentication, with password."},
		{Name: "password", Type: lua.SecretT, Optional: true, Doc: "Its password, as dr.secret."},
		{Name: "token", Type: lua.SecretT, Optional: true, Doc: "Bearer token, as dr.secret or from hide."},
		{Name: "expect", Type: lua.List(lua.Integer), Optional: true, Doc: "Statuses that are no error. Default: 200 to 299."},
		{Name: "timeout", Type: lua.Duration, Default: timeout, Doc: "How long it may take in all, with every try."},
		{Name: "max_body", Type: lua.Size, Default: "1MiB", Doc: "Largest body that is read. Behind that a look raises too-large, and the answer to a change is cut."},
		{Name: "redirects", Type: lua.Integer, Optional: true, Doc: "How many redirects are followed. Default: 5 by get and head, none by the others. None goes to another host with a secret."},
	}, tlsParams()...)
}

// hideParam asks for parts of an answer as secrets.
var hideParam = lua.Param{Name: "hide", Type: lua.List(lua.String), Optional: true, Doc: "Names of fields of the JSON answer, at any depth, and of headers, that are secrets: the plan gets each as a dr.secret to pass on. Only where the call observes."}

func (o *outside) lookFunc(name, method, doc string) lua.Func {
	return lua.Func{
		Name: name, Effect: lua.Observes, Returns: "http_answer", Doc: doc,
		Params: append(requestParams("30s"), lua.Param{Name: "tries", Type: lua.Integer, Default: 3.0, Doc: "How often it is tried, with a pause of 1s, 2s, 4s between."}, hideParam),
		Run:    func(c *lua.Call) (any, error) { return o.lookAt(c, method, true) },
	}
}

// reachFunc declares http.ok, for boot conditions.
func (o *outside) reachFunc() lua.Func {
	return lua.Func{
		Name: "ok", Effect: lua.Observes, Returns: "boolean",
		Doc:    "Whether a GET is answered as expected. It is tried once, and no failure raises: boot = function(ctx, vm) return http.ok \"https://shop.example.com/health\" end.",
		Params: requestParams("10s"),
		Run: func(c *lua.Call) (any, error) {
			_, err := o.lookAt(c, http.MethodGet, false)
			var failed *answerError
			if errors.As(err, &failed) && c.Lua.Err() == nil {
				return false, nil
			}
			return err == nil, err
		},
	}
}

// lookAt makes a request that changes nothing. whole: an answer that is larger than max_body is an error.
func (o *outside) lookAt(c *lua.Call, method string, whole bool) (any, error) {
	r, err := o.requestOf(c, method)
	if err != nil {
		return nil, err
	}
	return o.observe(c, func(ctx context.Context, s *Session) (any, error) {
		answer, err := o.converse(ctx, c, s, r, max(1, c.Int("tries")))
		if err != nil {
			return nil, err
		}
		if answer.truncated && whole {
			return nil, c.Errorf("too-large", "", "%s: the answer has more than %d bytes: raise max_body, or ask for less", r.shown, c.Size("max_body"))
		}
		return o.hidden(c, answer)
	})
}

func (o *outside) sendFunc(name, method string) lua.Func {
	return lua.Func{
		Name: name, Effect: lua.Durable, Returns: "http_answer",
		Doc: method + ". Safe to be repeated only where idempotent says so: else it is tried once, and after an answer that did not come nobody knows what it did.",
		Params: append(requestParams("1m"),
			lua.Param{Name: "json", Type: lua.Any, Optional: true, Doc: "Body, sent as JSON; any text in it may be a dr.secret."},
			lua.Param{Name: "body", Type: textOrSecret(), Optional: true, Doc: "Body as it is, with content_type."},
			lua.Param{Name: "content_type", Type: lua.String, Optional: true, Doc: "Type of the body. Default: \"application/json\" for json, else \"text/plain; charset=utf-8\"."},
			lua.Param{Name: "idempotent", Type: lua.Bool, Default: false, Doc: "To do it twice is as good as once: tried up to three times, as get is."},
			lua.Param{Name: "observe", Type: lua.Bool, Default: false, Doc: "It changes nothing, such as a login or a search: it is not recorded, a resumed run and a dry run send it, and boot conditions may."},
			hideParam, onCutParam,
		),
		Run: func(c *lua.Call) (any, error) {
			if c.Bool("observe") {
				return o.lookAt(c, method, true)
			}
			if c.Has("hide") {
				d := c.Errorf("bad-argument", "hide", "what a change is answered is recorded, and no record holds a secret")
				d.Hint = "say observe = true where the request changes nothing, such as a login"
				return nil, d
			}
			return o.send(c, method)
		},
	}
}

// send makes a changing request, as a change.
func (o *outside) send(c *lua.Call, method string) (any, error) {
	r, err := o.requestOf(c, method)
	if err != nil {
		return nil, err
	}
	s, err := o.session(c)
	if err != nil {
		return nil, err
	}
	tries := 1
	if c.Bool("idempotent") {
		tries = 3
	}
	recorded, err := o.change(c, change{
		name: "http " + r.shown, timeout: c.Duration("timeout"), assumed: map[string]any{"status": 200.0, "headers": map[string]any{}, "body": "", "truncated": false},
		args: map[string]any{"url": r.url.String(), "headers": named(c.Value("headers")), "user": c.String("user"), "password": named(c.Value("password")), "token": named(c.Value("token")), "json": r.digest, "body": named(c.Value("body"))},
		do: func(ctx context.Context, _ bool) (any, error) {
			answer, err := o.converse(ctx, c, s, r, tries)
			if err != nil {
				return nil, err
			}
			cut, body := fit(answer.body)
			headers := map[string]any{}
			for _, name := range recordedHeaders {
				if value := answer.headers.Get(name); value != "" && len(value) < 1000 {
					headers[strings.ToLower(name)] = o.disclosed.mask(value)
				}
			}
			return map[string]any{"status": float64(answer.status), "headers": headers, "body": body[0], "truncated": cut || answer.truncated}, nil
		},
	})
	table, ok := recorded.(map[string]any)
	if err != nil || !ok { // a person said that it was done: what was answered is not known
		return nil, err
	}
	headers, _ := table["headers"].(map[string]any)
	kind, _ := headers["content-type"].(string)
	body, _ := table["body"].(string)
	if value, isJSON := jsonAnswer(kind, body); isJSON && table["truncated"] == false {
		table["json"] = value
	}
	return table, nil
}

// jsonAnswer decodes a body that says that it is JSON.
func jsonAnswer(kind, body string) (any, bool) {
	if !strings.Contains(strings.ToLower(kind), "json") {
		return nil, false
	}
	value, err := decodeJSON(body)
	return value, err == nil
}

// hidden makes the result of a look, with what the call hides as secrets.
func (o *outside) hidden(c *lua.Call, answer *answer) (any, error) {
	var hide []string
	for _, name := range c.List("hide") {
		hide = append(hide, name.(string))
	}
	value, isJSON := jsonAnswer(answer.headers.Get("Content-Type"), answer.body)
	if isJSON {
		value = o.hideFields(value, hide)
	}
	headers := map[string]any{}
	for name := range answer.headers {
		text := answer.headers.Get(name)
		switch {
		case slices.ContainsFunc(hide, func(hidden string) bool { return strings.EqualFold(hidden, name) }):
			headers[strings.ToLower(name)] = o.secretOf(strings.ToLower(name), text)
		case name != "Set-Cookie":
			headers[strings.ToLower(name)] = o.disclosed.mask(text)
		}
	}
	result := map[string]any{"status": float64(answer.status), "headers": headers, "body": o.disclosed.mask(answer.body), "truncated": false}
	if isJSON {
		result["json"] = value
	}
	return result, nil
}

// hideFields replaces the texts of fields with these names by secrets.
func (o *outside) hideFields(value any, names []string) any {
	switch v := value.(type) {
	case []any:
		for i, item := range v {
			v[i] = o.hideFields(item, names)
		}
	case map[string]any:
		for name, item := range v {
			if text, isText := item.(string); isText && slices.Contains(names, name) {
				v[name] = o.secretOf(name, text)
				continue
			}
			v[name] = o.hideFields(item, names)
		}
	case string:
		return o.disclosed.mask(v)
	}
	return value
}

// secretOf makes a secret of a text that came from outside. It is masked from now on.
func (o *outside) secretOf(name, text string) *lua.Secret {
	secret := lua.NewSecret(name, func(context.Context) (string, error) { return text, nil })
	o.disclosed.hide(secret.String(), text)
	return secret
}

// request is what a call asks for, before its secrets are known.
type request struct {
	method string
	url    *url.URL
	shown  string // "PUT https://array/api/volumes/7": without query
	digest any    // the JSON body, secrets by name
	// secret tells whether a secret goes with the request.
	secret bool
	// json is sent as JSON where it is not nil, else body, a text or a secret.
	json, body any
}

func (o *outside) requestOf(c *lua.Call, method string) (*request, error) {
	if c.Has("json") && c.Has("body") {
		return nil, c.Errorf("bad-argument", "body", "give either json or body")
	}
	return o.requestTo(c, method, c.String("url"), c.Value("json"), c.Value("body"))
}

// requestTo is requestOf for an address and a body that the call does not hold as they are.
func (o *outside) requestTo(c *lua.Call, method, to string, data, body any) (*request, error) {
	address, err := url.Parse(to)
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Host == "" {
		d := c.Errorf("bad-argument", "url", "the url is none of http or https")
		d.Hint = "write it as \"https://HOST/PATH\""
		return nil, d
	}
	if address.User != nil {
		d := c.Errorf("secret-in-clear", "url", "a user, and perhaps a password, stands in the address of %s", address.Host)
		d.Hint = "take it out, and give user = \"NAME\", password = dr.secret \"NAME\""
		return nil, d
	}
	query := address.Query()
	for name, value := range c.Table("query") {
		text, _ := plainText(value) // texts, numbers and booleans have one
		query.Set(name, text)
	}
	if len(query) > 0 {
		address.RawQuery = query.Encode()
	}
	shown := url.URL{Scheme: address.Scheme, Host: address.Host, Path: address.Path}
	r := &request{method: method, url: address, shown: method + " " + shown.String(), json: data, body: body}
	if c.Has("user") != c.Has("password") || c.Has("user") && c.Has("token") {
		return nil, c.Errorf("bad-argument", "", "give user and password, or token, or none of them")
	}
	r.secret = c.Has("password") || c.Has("token")
	for _, value := range c.Table("headers") {
		_, isSecret := value.(*lua.Secret)
		r.secret = r.secret || isSecret
	}
	r.digest, err = withSecrets(data, func(s *lua.Secret) (string, error) { r.secret = true; return s.String(), nil })
	if err == nil {
		r.digest, err = recordable(r.digest, "json")
	}
	if err != nil {
		return nil, c.Errorf("bad-argument", "json", "%v", err)
	}
	return r, nil
}

// withSecrets returns a copy of a value with a text for each secret.
func withSecrets(value any, text func(*lua.Secret) (string, error)) (any, error) {
	switch v := value.(type) {
	case *lua.Secret:
		return text(v)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var err error
			if list[i], err = withSecrets(item, text); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		table := make(map[string]any, len(v))
		for name, item := range v {
			var err error
			if table[name], err = withSecrets(item, text); err != nil {
				return nil, err
			}
		}
		return table, nil
	}
	return value, nil
}

// answer is what a server said.
type answer struct {
	status    int
	headers   http.Header
	body      string
	truncated bool
}

// answerError is a request that failed: it was not answered, or not as expected.
type answerError struct {
	text  string
	later bool // another try may go better
	sent  bool // it was answered
}

func (e *answerError) Error() string { return e.text }

// errLeadsAway is a redirect to another host of a request with secrets.
var errLeadsAway = errors.New("where its secrets must not go")

// retryPause is the pause before the second try; each further one is twice as long. Model time.
const retryPause = time.Second

// converse sends a request, up to tries times, and returns an answer with an expected status.
func (o *outside) converse(ctx context.Context, c *lua.Call, s *Session, r *request, tries int) (*answer, error) {
	client, err := o.client(c, s, r)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	begun := s.Env.Clock.Now()
	for try := 1; ; try++ {
		found, err := o.sendOnce(ctx, c, client, r)
		var failed *answerError
		if err == nil || !errors.As(err, &failed) {
			return found, err
		}
		if failed.later && try < tries && ctx.Err() == nil {
			if _, err := s.Env.Clock.Wait(ctx, retryPause<<(try-1), nil); err == nil {
				continue
			}
		}
		if c.Lua.Err() != nil && ctx.Err() != context.DeadlineExceeded {
			failed.text = "given up, because the run or the hook around it was cancelled"
		}
		times := ""
		if try > 1 {
			times = fmt.Sprintf(" in %d tries", try)
		}
		d := c.Errorf("http-failed", "", "%s: %s (%s%s)", r.shown, o.disclosed.mask(failed.text), s.Env.Clock.Now().Sub(begun).Round(time.Millisecond), times)
		d.Err, d.Retryable = failed, failed.later
		if !failed.sent && r.method != http.MethodGet && r.method != http.MethodHead && !c.Bool("observe") {
			d.Hint = "whether it had its effect is not known: look there before you do it again"
		}
		return nil, d
	}
}

// client makes an HTTP client for one call.
func (o *outside) client(c *lua.Call, s *Session, r *request) (*http.Client, error) {
	config, err := o.tlsConfig(c, s, "") // the host of each request
	if err != nil {
		return nil, err
	}
	follow := 0
	if r.method == http.MethodGet || r.method == http.MethodHead {
		follow = 5
	}
	if c.Has("redirects") {
		follow = c.Int("redirects")
	}
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			if len(before) > follow {
				return http.ErrUseLastResponse
			}
			if r.secret && (next.URL.Host != r.url.Host || next.URL.Scheme != r.url.Scheme) {
				return fmt.Errorf("it leads to %s, %w", next.URL.Scheme+"://"+next.URL.Host, errLeadsAway)
			}
			return nil
		},
	}, nil
}

// sendOnce sends a request once. An *answerError is what the server, or the way to it, is to blame for.
func (o *outside) sendOnce(ctx context.Context, c *lua.Call, client *http.Client, r *request) (*answer, error) {
	message, err := o.message(ctx, c, r)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(message)
	if err != nil {
		cause := err
		var address *url.Error
		if errors.As(err, &address) { // it repeats the address, with its query
			cause = address.Err
		}
		return nil, &answerError{text: inTime(ctx, c.Duration("timeout"), cause).Error(), later: !errors.Is(cause, errLeadsAway)}
	}
	defer func() { _ = response.Body.Close() }() // it was read as far as it is wanted
	limit := max(c.Size("max_body"), 1)
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, &answerError{text: fmt.Sprintf("answered %s, and the body ended too early: %v", response.Status, inTime(ctx, c.Duration("timeout"), err)), later: true}
	}
	found := &answer{status: response.StatusCode, headers: response.Header, truncated: int64(len(body)) > limit}
	found.body = strings.ToValidUTF8(string(body[:min(int64(len(body)), limit)]), "\ufffd")
	if !expected(c, found.status) {
		text := "answered " + cmp.Or(response.Status, fmt.Sprint(found.status))
		if location := response.Header.Get("Location"); found.status/100 == 3 && location != "" {
			text += ", which leads to " + location
		}
		if said := strings.Join(strings.Fields(found.body), " "); said != "" {
			text += ": " + said[:min(len(said), 300)]
		}
		return nil, &answerError{text: strings.ToValidUTF8(text, ""), later: slices.Contains([]int{429, 502, 503, 504}, found.status), sent: true}
	}
	found.body = o.disclosedBody(found.body, c)
	return found, nil
}

// disclosedBody masks what is in a body, unless parts of it are still to become secrets.
func (o *outside) disclosedBody(body string, c *lua.Call) string {
	if c.Has("hide") {
		return body
	}
	return o.disclosed.mask(body)
}

func expected(c *lua.Call, status int) bool {
	if c.Has("expect") {
		return slices.Contains(c.List("expect"), any(float64(status)))
	}
	return status >= 200 && status <= 299
}

// message makes the request with its secrets.
func (o *outside) message(ctx context.Context, c *lua.Call, r *request) (*http.Request, error) {
	var body io.Reader
	kind := "text/plain; charset=utf-8"
	switch {
	case r.json != nil:
		data, err := withSecrets(r.json, func(s *lua.Secret) (string, error) { return o.disclosed.reveal(ctx, s) })
		if err == nil {
			data, err = recordable(data, "json")
		}
		if err != nil {
			return nil, err
		}
		text, err := encodeJSON(data, false)
		if err != nil {
			return nil, err
		}
		body, kind = strings.NewReader(text), "application/json"
	case r.body != nil:
		text, err := o.disclosed.reveal(ctx, r.body)
		if err != nil {
			return nil, err
		}
		body = strings.NewReader(text)
	}
	message, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), body)
	if err != nil {
		return nil, err
	}
	message.Header.Set("User-Agent", "drrun")
	message.Header.Set("Accept", "application/json, */*;q=0.5")
	if body != nil {
		message.Header.Set("Content-Type", cmp.Or(c.String("content_type"), kind))
	}
	if password, given := c.Value("password").(*lua.Secret); given {
		text, err := o.disclosed.reveal(ctx, password)
		if err != nil {
			return nil, err
		}
		o.disclosed.hide(password.String(), c.String("user")+":"+text) // as basic authentication writes it, in base64
		message.SetBasicAuth(c.String("user"), text)
	}
	if token, given := c.Value("token").(*lua.Secret); given {
		text, err := o.disclosed.reveal(ctx, token)
		if err != nil {
			return nil, err
		}
		message.Header.Set("Authorization", "Bearer "+text)
	}
	headers := c.Table("headers")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		text, err := o.disclosed.reveal(ctx, headers[name])
		if err != nil {
			return nil, err
		}
		if strings.ContainsAny(text, "\r\n\x00") {
			return nil, c.Errorf("bad-argument", "headers", "the value of the header %s holds a line break", name)
		}
		message.Header.Set(name, text)
	}
	return message, nil
}
