package stdlib

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"drrun/internal/nameserver"
)

var returns = regexp.MustCompile(`(?m)^--@ returns (.*)$`)

// TestModuleExamples runs the example of every module as a hook; its first line says what it returns.
func TestModuleExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/modules/*.lua")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".lua")
		shown = append(shown, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			wanted := returns.FindSubmatch(text)
			if wanted == nil {
				t.Fatal("the example does not say what it returns")
			}
			var want any
			if err := json.Unmarshal(wanted[1], &want); err != nil {
				t.Fatal(err)
			}
			s := newScene(t)
			if prepare := exampleWorlds[name]; prepare != nil {
				prepare(t, s)
			}
			got, err := s.handler("example", string(text))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("returned %#v, want %#v", got, want)
			}
		})
	}
	var declared []string
	for _, module := range Modules(Surroundings{}) {
		declared = append(declared, module.Name)
	}
	if !slices.Equal(declared, shown) {
		t.Errorf("modules %v, examples of %v", declared, shown)
	}
}

// exampleWorlds make the servers and files that an example talks to.
var exampleWorlds = map[string]func(t *testing.T, s *scene){
	"env": func(_ *testing.T, s *scene) { s.vars["SITE"] = "site-b" },
	"fs":  func(_ *testing.T, s *scene) { s.write("addresses.csv", "vm,ip\nweb,10.1.0.10\n") },
	"tcp": func(t *testing.T, s *scene) {
		_, port := listener(t)
		s.params["database_port"], s.params["old_port"] = number(t, port), number(t, closedPort(t))
	},
	"ping": func(t *testing.T, s *scene) {
		_, port, _ := net.SplitHostPort(newNameServer(t).Address)
		s.params["dns_port"] = number(t, port)
	},
	"dns": func(t *testing.T, s *scene) {
		s.params["dns"], s.secrets["dns_key"] = newNameServer(t).Address, nameserver.Secret
	},
	"http": func(t *testing.T, s *scene) {
		s.params["array"], s.secrets["array_password"] = newArray(t).URL, "hunter2"
	},
	"ssh": func(t *testing.T, s *scene) {
		h := newSSHHost(t, "hunter2")
		s.write("known_hosts", h.known)
		s.params["array"], s.params["array_port"], s.secrets["array_password"] = "127.0.0.1", number(t, h.port), "hunter2"
	},
	"notify": func(t *testing.T, s *scene) {
		s.params["mail_server"], s.secrets["channel"] = newMailServer(t, nil).Address, newArray(t).URL+"/channel"
	},
	"exec": func(_ *testing.T, s *scene) {
		s.secrets["array_password"] = "hunter2"
		s.write("bin/array", "#!/bin/sh\ncase $1 in promote) test \"$ARRAY_PASSWORD\" = hunter2 && echo rw > $2 && echo promoted $2;; state) cat $2;; esac\n")
	},
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
