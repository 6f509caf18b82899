package lab

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"
)

var update = flag.Bool("update", false, "rewrite openapi.json")

// TestOpenAPI keeps openapi.json equal to the routes and the types that they name, and valid.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(newDescriber(t).document()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if committed, err := os.ReadFile("openapi.json"); err != nil || !bytes.Equal(committed, want.Bytes()) {
		t.Error("openapi.json is stale: go test ./ovirt/lab -run TestOpenAPI -update")
	}
	loadOpenAPI(t)
}

func loadOpenAPI(t *testing.T) *openapi3.T {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return document
}

// TestControlAPI compares the document that the lab serves with what it answers: each operation of the document is called, well and
// badly, and each answer has the form that the document gives it. A route that the document lacks, or that is not called here, fails.
func TestControlAPI(t *testing.T) {
	t.Parallel()
	document := loadOpenAPI(t)
	router, err := legacy.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	l := New(TwoSites(TwoSitesOptions{}), newClock(), 1)
	handler := l.Control()
	called := map[string]bool{}
	for _, tc := range []struct {
		method, path, body string
		status             int
		holds              string // a part of the answer
	}{
		{"GET", "/openapi.json", "", 200, `"openapi": "3.0.3"`},
		{"GET", "/world", "", 200, `"replications"`},
		{"GET", "/world?x=1", "", 400, `takes no parameter \"x\"`},
		{"GET", "/log", "", 200, `[]`},
		{"GET", "/log?since=5", "", 200, `[]`},
		{"GET", "/log?since=x", "", 400, `since is no number`},
		{"GET", "/faults", "", 200, `[]`},
		{"POST", "/faults", `{"kind": "host-down", "site": "secondary", "subject": "host2b"}`, 200, `"spent": true`},
		{"POST", "/faults", `{"site": "primary", "method": "POST", "path": "/start$", "nth": 2, "delay": "1m30s", "probability": 0.5, "status": 503, "html": true}`, 200, `"delay": "1m30s"`},
		{"POST", "/faults", `{"pth": "/start$"}`, 400, `"hint": "known: kind, subject, export, site, method, path`},
		{"POST", "/faults", `{"delay": "soon"}`, 400, `delay is no duration: \"soon\"`},
		{"POST", "/faults", `{"kind": "host-down", "subject": "host3"}`, 404, `"hint": "known: host1a, host1b, host2a, host2b"`},
		{"POST", "/faults", `[]`, 400, `the body is no Fault`},
		{"POST", "/faults", `{} {}`, 400, `goes on behind its value`},
		{"POST", "/faults", ``, 400, `the body is no Fault`},
		{"GET", "/faults", "", 200, `"fired": [`},
		{"DELETE", "/faults/2", "", 200, `"ok": true`},
		{"DELETE", "/faults/2", "", 404, `no rule \"2\"`},
		{"DELETE", "/faults/0", "", 400, `rules count from 1`},
		{"DELETE", "/faults/x", "", 400, `n is no number`},
		{"DELETE", "/faults", "", 200, `"ok": true`},
		{"POST", "/arrays/promote", `{"domain": "nfs_ds"}`, 200, `"ok": true`},
		{"POST", "/arrays/promote?domain=nfs_ds", "", 200, `"ok": true`},
		{"POST", "/arrays/promote", `{"domain": "nfs"}`, 404, `"hint": "known: nfs_ds"`},
		{"POST", "/arrays/promote", "", 404, `no replicated storage domain \"\"`},
		{"POST", "/arrays/replicate?domain=nfs_ds", "", 200, `"ok": true`},
		{"POST", "/arrays/replicate", `{"domian": "nfs_ds"}`, 400, `"hint": "known: domain"`},
		{"POST", "/sites/primary/disaster?only=engine", "", 200, `"ok": true`},
		{"POST", "/sites/primary/disaster?only=hosts", "", 400, `?only=engine`},
		{"POST", "/sites/primary/disaster", "", 200, `"ok": true`},
		{"POST", "/sites/tertiary/disaster", "", 404, `"hint": "known: primary, secondary"`},
		{"POST", "/arrays/replicate", `{"domain": "nfs_ds"}`, 409, `is off`},
		{"GET", "/world", "", 200, `"down"`},
		{"POST", "/sites/primary/heal", "", 200, `"ok": true`},
		{"POST", "/sites/tertiary/heal", "", 404, `no site \"tertiary\"`},
	} {
		request := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		if tc.body != "" {
			request.Header.Set("Content-Type", "application/json")
		}
		name := tc.method + " " + tc.path + " " + tc.body
		route, params, err := router.FindRoute(request)
		if err != nil {
			t.Errorf("%s: the document does not have it: %v", name, err)
			continue
		}
		called[tc.method+" "+route.Path] = true
		input := &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: route}
		if err := openapi3filter.ValidateRequest(t.Context(), input); (err == nil) != (tc.status == 200) && tc.status == 200 {
			t.Errorf("%s: the document refuses it: %v", name, err)
		}
		answer := httptest.NewRecorder()
		again := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
		handler.ServeHTTP(answer, again)
		if answer.Code != tc.status || !strings.Contains(answer.Body.String(), tc.holds) {
			t.Errorf("%s: %d %.400s", name, answer.Code, answer.Body)
		}
		output := &openapi3filter.ResponseValidationInput{RequestValidationInput: input, Status: answer.Code, Header: answer.Header(), Options: &openapi3filter.Options{IncludeResponseStatus: true}}
		output.SetBodyBytes(answer.Body.Bytes())
		if err := openapi3filter.ValidateResponse(t.Context(), output); err != nil {
			t.Errorf("%s: the answer is not as documented: %v", name, err)
		}
	}
	documented := map[string]bool{}
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			documented[method+" "+path] = true
		}
	}
	for _, route := range controlRoutes {
		name := route.method + " " + route.path
		if !called[name] || !documented[name] {
			t.Errorf("%s: called %t, documented %t", name, called[name], documented[name])
		}
	}
	if len(documented) != len(controlRoutes) {
		t.Errorf("%d operations are documented, there are %d", len(documented), len(controlRoutes))
	}
}

// What is no endpoint says so in JSON, with a hint.
func TestControlRefuses(t *testing.T) {
	t.Parallel()
	handler := New(TwoSites(TwoSitesOptions{}), newClock(), 1).Control()
	for _, tc := range []struct {
		method, path string
		status       int
		allow, holds string
	}{
		{"GET", "/", 404, "", "GET /openapi.json describes them"},
		{"GET", "/worlds", 404, "", `no endpoint \"/worlds\"`},
		{"DELETE", "/world", 405, "GET", `"hint": "allowed: GET"`},
		{"PUT", "/faults", 405, "GET, POST, DELETE", "PUT /faults is no endpoint"},
		{"GET", "/sites/primary/heal", 405, "POST", "allowed: POST"},
	} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(tc.method, tc.path, nil))
		if answer.Code != tc.status || answer.Header().Get("Allow") != tc.allow || !strings.Contains(answer.Body.String(), tc.holds) || answer.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %v %s", tc.method, tc.path, answer.Code, answer.Header(), answer.Body)
		}
	}
}

// A fault read back from its JSON is the same.
func TestFaultJSON(t *testing.T) {
	t.Parallel()
	for _, f := range []Fault{{}, {Kind: FaultHostDown, Subject: "h"}, {Site: "primary", Method: "POST", Path: "/x", Nth: 2, Times: -1, Asked: "secondary", Probability: 0.5, Seed: 9,
		Delay: 90 * time.Second, Status: 500, Reason: "r", Detail: "<d>", HTML: true, Empty: true, Reset: "after", Truncate: true, Restart: true}} {
		text, err := json.Marshal(f)
		var back Fault
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != f {
			t.Errorf("%s: %+v %v", text, back, err)
		}
	}
}

// describer writes the document of the control API: paths of controlRoutes, schemas of the Go types, texts of their comments.
type describer struct {
	comments map[string]string // "Type" and "Type.Field"
	schemas  map[string]any
}

func newDescriber(t *testing.T) *describer {
	t.Helper()
	d := &describer{comments: map[string]string{}, schemas: map[string]any{}}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range group.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					d.comments[named.Name.Name] = words(group.Doc)
					if fields, ok := named.Type.(*ast.StructType); ok {
						for _, field := range fields.Fields.List {
							for _, fieldName := range field.Names {
								d.comments[named.Name.Name+"."+fieldName.Name] = strings.TrimSpace(words(field.Doc) + " " + words(field.Comment))
							}
						}
					}
				}
			}
		}
	}
	return d
}

func words(group *ast.CommentGroup) string { return strings.Join(strings.Fields(group.Text()), " ") }

type object = map[string]any

func (d *describer) document() object {
	paths := object{}
	for _, route := range controlRoutes {
		item, _ := paths[route.path].(object)
		if item == nil {
			item = object{}
			paths[route.path] = item
		}
		item[strings.ToLower(route.method)] = d.operation(route)
	}
	d.schema(reflect.TypeFor[ControlError]())
	return object{
		"openapi": "3.0.3",
		"info": object{"title": "Control API of the drrun lab", "version": "1",
			"description": "What happens to the world of a lab from outside of its engines: power, storage, faults. It is for tests and people; a client of the engines never calls it."},
		"paths": paths, "components": object{"schemas": d.schemas},
	}
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

func (d *describer) operation(route controlRoute) object {
	op := object{"summary": route.summary, "operationId": strings.ToLower(route.method) + strings.ReplaceAll(regexp.MustCompile(`[/{}.]+`).ReplaceAllString(route.path, "_"), "__", "_")}
	if route.text != "" {
		op["description"] = route.text
	}
	var params []any
	for _, match := range inPath.FindAllStringSubmatch(route.path, -1) {
		schema := object{"type": "string"}
		if match[1] == "n" {
			schema = object{"type": "integer", "minimum": 1}
		}
		params = append(params, object{"name": match[1], "in": "path", "required": true, "schema": schema})
	}
	for _, p := range route.query {
		schema := object{"type": "string"}
		if p.number {
			schema = object{"type": "integer", "minimum": 0}
		}
		if len(p.values) > 0 {
			schema["enum"] = p.values
		}
		params = append(params, object{"name": p.name, "in": "query", "description": p.text, "schema": schema})
	}
	if params != nil {
		op["parameters"] = params
	}
	if route.in != nil {
		op["requestBody"] = object{"required": !route.bodyless, "content": object{"application/json": object{"schema": d.schema(reflect.TypeOf(route.in))}}}
	}
	responses := object{"200": object{"description": "done", "content": object{"application/json": object{"schema": d.schema(reflect.TypeOf(route.out))}}}}
	refusals := map[int]string{400: "what was sent cannot be meant", 404: "what was named is not there", 409: "the state of things forbids it"}
	for _, status := range append([]int{400}, route.refuses...) {
		if route.do != nil {
			responses[strconv.Itoa(status)] = object{"description": refusals[status], "content": object{"application/json": object{"schema": d.schema(reflect.TypeFor[ControlError]())}}}
		}
	}
	op["responses"] = responses
	return op
}

// schema describes a type; structs with names are described once, below components.
func (d *describer) schema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[time.Duration]():
		return object{"type": "string", "description": "a duration such as 2s or 1m30s"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := d.schema(t.Elem())
		inner["nullable"] = true
		return inner
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return object{"type": "object"}
		}
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		if _, done := d.schemas[t.Name()]; !done {
			d.schemas[t.Name()] = nil
			d.schemas[t.Name()] = d.structure(t)
		}
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	panic("no schema for " + t.String())
}

func (d *describer) structure(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		schema := d.schema(f.Type)
		if text := d.comments[t.Name()+"."+f.Name]; text != "" {
			if schema["$ref"] != nil { // nothing stands beside a $ref
				schema = object{"allOf": []any{schema}}
			}
			if known, ok := schema["description"].(string); ok {
				text += " (" + known + ")"
			}
			schema["description"] = text
		}
		if t == reflect.TypeFor[Fault]() && name == "kind" {
			schema["enum"] = append([]string{""}, FaultKinds()...)
		}
		properties[name] = schema
		if rest != "omitempty" {
			required = append(required, name)
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		slices.Sort(required)
		s["required"] = required
	}
	if text := d.comments[t.Name()]; text != "" {
		s["description"] = text
	}
	return s
}
