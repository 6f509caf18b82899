package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// SSO is a web application beside the API: it knows profiles and passwords, and gives out tokens. The texts are those of
// ovirt-engine's AppMessages.properties and SsoConstants.java.

// The client that every engine registers with its SSO for itself; token-info and revoke want a client's name and secret. A real
// engine's secret is random.
const (
	SSOClientID     = "ovirt-engine-core"
	SSOClientSecret = "drrun-lab"
)

// ssoFailure is why SSO refuses.
type ssoFailure struct{ code, text string }

var (
	grantExpired = &ssoFailure{"invalid_grant", "The provided authorization grant for the auth code has expired."}
	badGrantType = &ssoFailure{"unsupported_grant_type", "The authorization grant type is not supported by the authorization server."}
)

func missingParameter(name string) *ssoFailure {
	return &ssoFailure{"invalid_request", "Missing parameter: '" + name + "'"}
}

// member is a name with its value in a JSON object of SSO, whose members have the order of a Java HashMap.
type member struct {
	name  string
	value any
}

// ssoJSON answers an object; what is inside of an object carries its Java type (ovirt-engine SsoService.getJson).
func ssoJSON(status int, members ...member) *reply {
	return &reply{status: status, contentType: "application/json", body: jsonObject(members)}
}

func jsonObject(members []member) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	write := func(v any) {
		_ = e.Encode(v) // strings, booleans and what they are in: nothing fails
		b.Truncate(b.Len() - 1)
	}
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		write(m.name)
		b.WriteByte(':')
		write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// form is what a servlet calls parameters: those of the query, then those of the body.
func (c *call) form() url.Values {
	form := c.req.URL.Query()
	if kind, _, err := mime.ParseMediaType(c.req.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" && c.req.Method == http.MethodPost {
		if parsed, err := url.ParseQuery(string(c.body)); err == nil {
			for k, v := range parsed {
				form[k] = append(form[k], v...)
			}
		}
	}
	return form
}

// ssoRefused answers 400. The members of the error have other names where the scope is that of the API
// (ovirt-engine SsoService.sendJsonDataWithMessage).
func ssoRefused(scope string, f *ssoFailure) *reply {
	list := strings.Fields(scope)
	if slices.Contains(list, apiScope) && !slices.Contains(list, "ovirt-app-admin") && !slices.Contains(list, "ovirt-app-portal") {
		return ssoJSON(http.StatusBadRequest, member{"error_code", f.code}, member{"error", f.text})
	}
	return ssoJSON(http.StatusBadRequest, member{"error_description", f.text}, member{"error", f.code})
}

// apiScope is the scope without which a token is no good for the API.
const apiScope = "ovirt-app-api"

// resolvedScope is a scope with those that depend on it, sorted (ovirt-engine SsoService.resolveScopeWithDependencies,
// 02800_insert_sso_scope_dependency.sql).
func resolvedScope(scope string) string {
	list := strings.Fields(scope)
	for _, s := range slices.Clone(list) {
		switch s {
		case "ovirt-app-admin", "ovirt-app-portal":
			list = append(list, apiScope, "ovirt-ext=revoke:revoke-all")
			fallthrough
		case apiScope:
			list = append(list, "ovirt-ext=token-info:authz-search", "ovirt-ext=token-info:public-authz-search", "ovirt-ext=token-info:validate",
				"ovirt-ext=token:password-access")
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// keycloak tells that passwords are checked by the Keycloak beside an engine of version 4.5 (ENGINE_SSO_ENABLE_EXTERNAL_SSO), whose
// administrator is admin@ovirt.
func (e *engine) keycloak() bool { return strings.Contains(e.ownLogin(), "@") }

// loginProfiles are the names by which people log in, after the last @. Keycloak brings one of its own.
func (e *engine) loginProfiles() []string {
	list := []string{"internal"}
	if e.keycloak() {
		list = append(list, "internalsso")
	}
	if at := strings.LastIndexByte(e.spec.Username, '@'); at >= 0 && !slices.Contains(list, e.spec.Username[at+1:]) {
		list = append(list, e.spec.Username[at+1:])
	}
	return list
}

// checkPassword is nil where a name and a password are right (ovirt-engine SsoService.translateUser and areCredentialsValid). Keycloak
// is told the name without the profile, so that each profile will do.
func (e *engine) checkPassword(username, password string) *ssoFailure {
	login, profile := username, ""
	if at := strings.LastIndexByte(username, '@'); at >= 0 {
		login, profile = username[:at], username[at+1:]
	}
	failure := ""
	switch {
	case login == "":
		failure = "No user name found in credentials."
	case !slices.Contains(e.loginProfiles(), profile):
		failure = "No valid profile found in credentials."
	case login != e.ownLogin() || password != e.spec.Password:
		failure = "Unable to log in. Verify your login information or contact the system administrator."
		if e.keycloak() {
			failure = "Invalid user credentials"
			break
		}
		e.loginEvent(eventLoginFailed, "error", "User "+username+" connecting from '127.0.0.1' failed to log in : '"+failure+"'.")
	default:
		return nil
	}
	if e.keycloak() {
		return &ssoFailure{"access_denied", "Cannot authenticate user " + failure + "."}
	}
	if profile == "" {
		profile = "N/A"
	}
	return &ssoFailure{"access_denied", fmt.Sprintf("Cannot authenticate user '%s@%s': %s.", login, profile, failure)}
}

// postToken logs a user in by name and password, which the request carries as a form or, with the grant type of HTTP, as Basic
// (ovirt-engine OAuthTokenServlet, of any method). The Accept header is looked at last, and for equality.
func (c *call) postToken() *reply {
	form, e := c.form(), c.engine
	scope := resolvedScope(form.Get("scope"))
	var username, password string
	switch form.Get("grant_type") {
	case "password":
		for _, name := range []string{"username", "password"} {
			if !form.Has(name) {
				return ssoRefused(scope, missingParameter(name))
			}
		}
		username, password = form.Get("username"), form.Get("password")
	case "urn:ovirt:params:oauth:grant-type:http":
		var ok bool
		if username, password, ok = c.req.BasicAuth(); !ok {
			return withAuthenticate(html(http.StatusUnauthorized, "Unauthorized"), "Basic")
		}
	default:
		return ssoRefused(scope, badGrantType)
	}
	if failure := e.checkPassword(username, password); failure != nil {
		return ssoRefused(scope, failure)
	}
	t := e.newToken(scope)
	if c.req.Header.Get("Accept") != "application/json" {
		return ssoRefused(scope, missingParameter("Accept Header"))
	}
	e.tokens[t.value] = t
	if !c.wait(c.lab.after(c.lab.lat.Login, func() {})) {
		return nil
	}
	return ssoJSON(http.StatusOK, member{"access_token", t.value}, member{"scope", scope}, member{"exp", "9223372036854775807"}, member{"token_type", "bearer"})
}

// ssoClient finds that a request comes from no client of SSO: by parameters or Basic (ovirt-engine SsoService.getClientIdClientSecret,
// validateClientRequest).
func (c *call) ssoClient(form url.Values) *ssoFailure {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if id == "" && secret == "" {
		id, secret, _ = c.req.BasicAuth()
	}
	switch {
	case id == "":
		return missingParameter("client_id")
	case secret == "":
		return missingParameter("client_secret")
	case id != SSOClientID:
		return &ssoFailure{"unauthorized_client", "The client is not authorized to request an authorization. It's required to access the system using FQDN."}
	case secret != SSOClientSecret:
		return missingParameter("client_secret")
	}
	return nil
}

// tokenInfo says whose a token is. With the scope ovirt-ext=token-info:validate anybody may ask whether it is good (ovirt-engine
// OAuthTokenInfoServlet).
func (c *call) tokenInfo() *reply {
	form, e := c.form(), c.engine
	scope := resolvedScope(form.Get("scope"))
	if c.req.Header.Get("Accept") != "application/json" {
		return ssoRefused(scope, missingParameter("Accept Header"))
	}
	validate := slices.Contains(strings.Fields(scope), "ovirt-ext=token-info:validate")
	if !validate {
		if f := c.ssoClient(form); f != nil {
			return ssoRefused(scope, f)
		}
	}
	if !form.Has("token") {
		return ssoRefused(scope, missingParameter("token"))
	}
	t := e.tokens[form.Get("token")]
	switch {
	case t == nil || t.expired(c.lab.now):
		return ssoRefused(scope, grantExpired)
	case validate:
		return ssoJSON(http.StatusOK)
	}
	u := e.ownUser()
	profile := e.spec.Username[strings.LastIndexByte(e.spec.Username, '@')+1:]
	inner := jsonObject([]member{{"namespace", u.Namespace}, {"group_ids", []any{"java.util.ArrayList", []any{}}}, {"last_name", u.LastName},
		{"capability_credentials_change", !e.keycloak()}, {"version", "0"}, {"principal_id", u.ID}, {"first_name", u.FirstName}, {"email", u.Email}})
	return ssoJSON(http.StatusOK, member{"user_id", e.ownLogin() + "@" + profile}, member{"scope", t.scope},
		member{"ovirt", []any{"java.util.HashMap", json.RawMessage(inner)}}, member{"active", true}, member{"user_authz", u.domain},
		member{"token_type", "bearer"}, member{"exp", "9223372036854775807"}, member{"client_id", nil})
}

// revoke ends the session of a token, for clients of SSO. A token that is unknown is as good (ovirt-engine OAuthRevokeServlet).
func (c *call) revoke() *reply {
	form := c.form()
	scope := resolvedScope(form.Get("scope"))
	switch {
	case !form.Has("token"):
		return ssoRefused(scope, missingParameter("token"))
	case c.req.Header.Get("Accept") != "application/json":
		return ssoRefused(scope, missingParameter("Accept Header"))
	}
	if f := c.ssoClient(form); f != nil {
		return ssoRefused(scope, f)
	}
	c.engine.endToken(form.Get("token"))
	return ssoJSON(http.StatusOK)
}

// postLogout revokes a token in the engine's own name: that is what the SDKs call. It answers 200 for unknown and empty tokens too
// (ovirt-engine SsoLogoutServlet).
func (c *call) postLogout() *reply {
	c.engine.endToken(c.form().Get("token"))
	return ssoJSON(http.StatusOK)
}

// ssoStatus tells that SSO is there (ovirt-engine StatusServlet).
func ssoStatus() *reply {
	return ssoJSON(http.StatusOK, member{"status_description", "SSO Webapp Deployed"}, member{"version", "0"}, member{"status", "active"})
}
