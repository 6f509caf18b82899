package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask sends a request to a path below /ovirt-engine of a site; headers are name, value pairs.
func (r *rig) ask(site, method, path string, form url.Values, headers ...string) answer {
	r.t.Helper()
	req, err := http.NewRequest(method, strings.TrimSuffix(siteURL(site), "/api")+path, strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return r.do(req)
}

func (r *rig) expect(a answer, status int, contentType, body string) {
	r.t.Helper()
	if a.status != status || a.header.Get("Content-Type") != contentType || a.body != body {
		r.t.Errorf("%d %s\n%s\nwant %d %s\n%s", a.status, a.header.Get("Content-Type"), a.body, status, contentType, body)
	}
}

const fullScope = "ovirt-app-api ovirt-ext=token-info:authz-search ovirt-ext=token-info:public-authz-search ovirt-ext=token-info:validate ovirt-ext=token:password-access"

// ovirt-engine OAuthTokenServlet.buildResponse, SsoService.resolveScopeWithDependencies and sendJsonData.
func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	a := r.login("primary")
	token := r.token["primary"]
	r.expect(a, 200, "application/json", `{"access_token":"`+token+`","scope":"`+fullScope+`","exp":"9223372036854775807","token_type":"bearer"}`)
	if len(token) != 86 {
		t.Errorf("a token of %d letters", len(token))
	}
}

// ovirt-engine OAuthTokenServlet.issueTokenUsingHttpHeaders, NonInteractiveAuth.b: the servlet takes GET and a query too.
func TestTokenByBasic(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	req, _ := http.NewRequest("GET", strings.TrimSuffix(PrimaryURL, "/api")+"/sso/oauth/token-http-auth?scope=ovirt-app-api&grant_type=urn:ovirt:params:oauth:grant-type:http", nil)
	req.Header.Set("Accept", "application/json")
	if a := r.do(req); a.status != 401 || a.header.Get("WWW-Authenticate") != "Basic" {
		t.Errorf("without: %d %s", a.status, a.body)
	}
	req.SetBasicAuth(PrimaryUsername, PrimaryPassword)
	if a := r.do(req); a.status != 200 || !strings.Contains(a.body, "access_token") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Version 4.5 has Keycloak, which gets the name before the last @: each profile of the engine will do. Version 4.4 has admin@internal
// (ovirt-engine SsoService.translateUser, ExternalOIDCService; ovirt-engine-keycloak keycloak_usage.md).
func TestUserForms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		site, user, password, want string
		status                     int
	}{
		{"primary", "admin@internal", PrimaryPassword, `"token_type":"bearer"`, 200},
		{"primary", "admin@internalsso", PrimaryPassword, "Cannot authenticate user 'admin@internalsso': No valid profile found in credentials..", 400},
		{"primary", "admin", PrimaryPassword, "Cannot authenticate user 'admin@N/A': No valid profile found in credentials..", 400},
		{"primary", "@internal", PrimaryPassword, "No user name found in credentials.", 400},
		{"primary", "admin@internal", "x", "Cannot authenticate user 'admin@internal': Unable to log in. Verify your login information or contact the system administrator..", 400},
		{"secondary", "admin@ovirt@internalsso", SecondaryPassword, `"token_type":"bearer"`, 200},
		{"secondary", "admin@ovirt@internal", SecondaryPassword, `"token_type":"bearer"`, 200},
		{"secondary", "admin@ovirt", SecondaryPassword, "Cannot authenticate user No valid profile found in credentials..", 400},
		{"secondary", "admin@internalsso", SecondaryPassword, "Cannot authenticate user Invalid user credentials.", 400},
		{"secondary", "admin@ovirt@internalsso", "x", `{"error_code":"access_denied","error":"Cannot authenticate user Invalid user credentials."}`, 400},
	} {
		r := newRig(t, TwoSitesOptions{})
		a := r.do(tokenRequest(t, tc.site, url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {tc.user}, "password": {tc.password}}, "application/json"))
		if a.status != tc.status || !strings.Contains(a.body, tc.want) {
			t.Errorf("%s: %d %s", tc.user, a.status, a.body)
		}
	}
}

// ovirt-engine SsoService.sendJsonDataWithMessage: what is not of the API's scope has an error and its description.
func TestErrorsByScope(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	accept := []string{"Accept", "application/json"}
	form := url.Values{"grant_type": {"implicit"}, "scope": {"ovirt-app-api"}}
	r.expect(r.ask("primary", "POST", "/sso/oauth/token", form, accept...), 400, "application/json",
		`{"error_code":"unsupported_grant_type","error":"The authorization grant type is not supported by the authorization server."}`)
	form.Set("scope", "ovirt-app-admin")
	r.expect(r.ask("primary", "POST", "/sso/oauth/token", form, accept...), 400, "application/json",
		`{"error_description":"The authorization grant type is not supported by the authorization server.","error":"unsupported_grant_type"}`)
}

// ovirt-engine OAuthTokenInfoServlet: clients learn whose a token is, anybody whether it is good.
func TestTokenInfo(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.login("primary")
	accept := []string{"Accept", "application/json"}
	client := url.Values{"token": {r.token["primary"]}, "client_id": {SSOClientID}, "client_secret": {SSOClientSecret}}
	a := r.ask("primary", "POST", "/sso/oauth/token-info", client, accept...)
	var info struct {
		User   string `json:"user_id"`
		Authz  string `json:"user_authz"`
		Scope  string `json:"scope"`
		Exp    string `json:"exp"`
		Active bool   `json:"active"`
		Ovirt  []any  `json:"ovirt"`
	}
	if err := json.Unmarshal([]byte(a.body), &info); err != nil || a.status != 200 {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	if info.User != "admin@internal" || info.Authz != "internal-authz" || info.Scope != fullScope || !info.Active || info.Ovirt[0] != "java.util.HashMap" {
		t.Errorf("%+v", info)
	}
	validate := url.Values{"token": {r.token["primary"]}, "scope": {"ovirt-ext=token-info:validate"}}
	r.expect(r.ask("primary", "POST", "/sso/oauth/token-info", validate, accept...), 200, "application/json", "{}")
	validate.Set("token", "x")
	const expired = `{"error_description":"The provided authorization grant for the auth code has expired.","error":"invalid_grant"}`
	r.expect(r.ask("primary", "POST", "/sso/oauth/token-info", validate, accept...), 400, "application/json", expired)
	client.Del("client_secret")
	r.expect(r.ask("primary", "POST", "/sso/oauth/token-info", client, accept...), 400, "application/json",
		`{"error_description":"Missing parameter: 'client_secret'","error":"invalid_request"}`)
}

// ovirt-engine OAuthRevokeServlet for clients, SsoLogoutServlet for everybody, which is what SDKs call.
func TestRevoke(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/sso/oauth/revoke", "/services/sso-logout"} {
		r := newRig(t, TwoSitesOptions{})
		r.get("primary", "/vms")
		form := url.Values{"token": {r.token["primary"]}, "scope": {"ovirt-app-api"}}
		if path == "/sso/oauth/revoke" {
			a := r.ask("primary", "POST", path, form, "Accept", "application/json")
			r.expect(a, 400, "application/json", `{"error_code":"invalid_request","error":"Missing parameter: 'client_id'"}`)
			form.Set("client_id", SSOClientID)
			form.Set("client_secret", SSOClientSecret)
		}
		r.expect(r.ask("primary", "POST", path, form, "Accept", "application/json"), 200, "application/json", "{}")
		if a := r.call("primary", "GET", "/vms", ""); a.status != 401 {
			t.Errorf("%s: the token is good for %d", path, a.status)
		}
		r.expect(r.ask("primary", "POST", path, form, "Accept", "application/json"), 200, "application/json", "{}") // again
		r.login("primary")
		events := r.get("primary", "/events?search=type%3D31")
		if len(events.children) != 1 || !strings.HasPrefix(events.children[0].value("description"), "User admin@internal-authz connected from '127.0.0.1' using session '") {
			t.Errorf("%s: %d events of logging out", path, len(events.children))
		}
	}
}

// ovirt-engine SsoRestApiAuthFilter, EnforceAuthFilter: a page of the servlet container with what SSO said.
func TestUnauthorizedPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	other := r.do(tokenRequest(t, "primary", url.Values{"grant_type": {"password"}, "scope": {"other"}, "username": {PrimaryUsername}, "password": {PrimaryPassword}}, "application/json"))
	var answer struct {
		Token string `json:"access_token"`
	}
	r.ok(json.Unmarshal([]byte(other.body), &answer))
	wrong := func(user, password string) string {
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(user, password)
		return req.Header.Get("Authorization")
	}
	for header, text := range map[string]string{
		"":                           "Unauthorized",
		"Negotiate x":                "Unauthorized",
		"bearer " + answer.Token:     "Unauthorized", // the schemes are compared letter by letter
		"Bearer x":                   "invalid_grant: The provided authorization grant for the auth code has expired.",
		"Bearer " + answer.Token:     "The required scope ovirt-app-api is not granted.",
		wrong("admin@internal", "x"): "access_denied: Cannot authenticate user 'admin@internal': Unable to log in. Verify your login information or contact the system administrator..",
		wrong("<b>@x", "x"):          "access_denied: Cannot authenticate user '&lt;b&gt;@x': No valid profile found in credentials..",
	} {
		a := r.ask("primary", "GET", "/api/vms", nil, "Authorization", header, "Correlation-Id", "c")
		r.expect(a, 401, "text/html;charset=UTF-8", "<html><head><title>Error</title></head><body>"+text+"</body></html>")
		if a.header.Get("WWW-Authenticate") != `Basic realm="RESTAPI"` || a.header.Get("Correlation-Id") != "" {
			t.Errorf("%s: %v", header, a.header)
		}
	}
	if n := len(r.get("primary", "/events?search=type%3D114").children); n != 1 {
		t.Errorf("%d events of failed logins", n)
	}
}

// With Keycloak the web server asks for a token, and answers with its own page (ovirt-engine-keycloak internalsso-openidc.conf.in).
func TestUnauthorizedByKeycloak(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	req, _ := http.NewRequest("GET", SecondaryURL+"/vms", nil)
	req.SetBasicAuth(SecondaryUsername, SecondaryPassword)
	a := r.do(req)
	if a.status != 401 || !strings.HasPrefix(a.body, "<!DOCTYPE HTML PUBLIC") || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	r.token["secondary"] = "x"
	if a := r.call("secondary", "GET", "/vms", ""); a.status != 401 || !strings.Contains(a.header.Get("WWW-Authenticate"), "invalid_token") {
		t.Errorf("%d %v", a.status, a.header)
	}
}

// Sessions of Basic end with their request, unless the client prefers them to persist and returns the cookie (ovirt-engine
// RestApiSessionMgmtFilter, RestApiSessionValidationFilter).
func TestPersistentSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	req, _ := http.NewRequest("GET", PrimaryURL+"/vms", nil)
	req.SetBasicAuth(PrimaryUsername, PrimaryPassword)
	basic := req.Header.Get("Authorization")
	if a := r.ask("primary", "GET", "/api/vms", nil, "Authorization", basic); a.status != 200 || a.header.Get("Set-Cookie") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	cookie := func(ttl string) string {
		a := r.ask("primary", "GET", "/api/vms", nil, "Authorization", basic, "Prefer", "persistent-auth", "Session-TTL", ttl)
		value, attributes, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
		if a.status != 200 || !strings.HasPrefix(value, "JSESSIONID=") || attributes != " path=/ovirt-engine/api; HttpOnly" {
			t.Fatalf("%d %v", a.status, a.header)
		}
		return value
	}
	with := func(c, prefer string) int {
		return r.ask("primary", "GET", "/api/vms", nil, "Cookie", c, "Prefer", prefer).status
	}
	long, short := cookie(""), cookie("5")
	r.clock.pass(6 * time.Minute)
	for _, tc := range []struct {
		cookie, prefer string
		status         int
	}{{long, "persistent-auth", 200}, {short, "persistent-auth", 401}, {long, "csrf-protection, persistent-auth", 200}, {long, "", 401}, {long, "persistent-auth", 401}} {
		if got := with(tc.cookie, tc.prefer); got != tc.status {
			t.Errorf("%+v: %d", tc, got)
		}
	}
	anew := cookie("")
	if got := with(anew, "new-auth, persistent-auth"); got != 401 {
		t.Errorf("new-auth: %d", got)
	}
}

// ovirt-engine HealthStatus, PKIResourceServlet, StatusServlet: anybody may ask.
func TestServices(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.expect(r.ask("primary", "GET", "/services/health", nil), 200, "text/html;charset=ISO-8859-1", "DB Up!Welcome to Health Status!")
	if a := r.ask("primary", "POST", "/services/health", nil); a.status != 405 {
		t.Errorf("POST health: %d", a.status)
	}
	r.expect(r.ask("primary", "GET", "/sso/status", nil), 200, "application/json", `{"status_description":"SSO Webapp Deployed","version":"0","status":"active"}`)
	pki := "/services/pki-resource?resource="
	for query, want := range map[string][3]string{
		"ca-certificate":                                           {"200", "application/x-x509-ca-cert;charset=ISO-8859-1", "-----BEGIN CERTIFICATE-----\n"},
		"ca-certificate&format=X509-PEM-CA":                        {"200", "application/x-x509-ca-cert;charset=ISO-8859-1", "-----BEGIN CERTIFICATE-----\n"},
		"qemu-ca-certificate&format=X509-PEM":                      {"200", "application/x-x509-cert;charset=ISO-8859-1", "-----BEGIN CERTIFICATE-----\n"},
		"engine-certificate":                                       {"200", "application/x-x509-cert;charset=ISO-8859-1", "-----BEGIN CERTIFICATE-----\n"},
		"engine-certificate&format=OPENSSH-PUBKEY&alias=me%40here": {"200", "text/plain;charset=ISO-8859-1", "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY"},
		"x":                         {"400", "text/html;charset=UTF-8", "<html><head><title>Error</title></head><body>Resource 'x' is invalid</body></html>"},
		"ca-certificate&format=PEM": {"400", "text/html;charset=UTF-8", "<html><head><title>Error</title></head><body>Format 'PEM' is invalid</body></html>"},
	} {
		a := r.ask("primary", "GET", pki+query, nil)
		if fmt.Sprint(a.status) != want[0] || a.header.Get("Content-Type") != want[1] || !strings.HasPrefix(a.body, want[2]) {
			t.Errorf("%s: %d %s %s", query, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
	if a := r.ask("primary", "GET", pki+"engine-certificate&format=OPENSSH-PUBKEY", nil); !strings.HasSuffix(a.body, " ovirt-engine\n") {
		t.Errorf("alias: %s", a.body)
	}
	a := r.ask("primary", "GET", "/services/pki-resource", nil)
	r.expect(a, 400, "text/html;charset=UTF-8", "<html><head><title>Error</title></head><body>Missing resource name</body></html>")
}
