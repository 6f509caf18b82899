package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

const arrayHelp = `volume show [VOLUME] [-json]
volume modify VOLUME -access read-only|read-write [-json]
volume clone show VOLUME [-json]
volume clone create VOLUME CLONE [-json]
volume clone delete VOLUME CLONE [-json]
volume replication show [REPLICATION] [-json]
volume replication update|quiesce|resume|break REPLICATION [-json]
volume replication resync REPLICATION [-discard] [-json]
job show JOB [-json]
`

// Exit codes of the array's commands.
const (
	arrayDone    = 0
	arrayRefused = 1
	arrayUsage   = 2
	arrayUnknown = 3 // there is no such object
)

// arrayLine is a command line, taken apart.
type arrayLine struct {
	words  []string
	access string
	json   bool
	flag   bool // -discard
}

// command runs a line of the array's command line.
func (a *array) command(text string) (stdout, stderr string, code uint32) {
	line, err := parseArrayLine(text)
	var out any
	if err == nil {
		out, err = a.run(line)
	}
	if err != nil {
		code := map[int]uint32{http.StatusBadRequest: arrayUsage, http.StatusNotFound: arrayUnknown}[err.Status]
		if code == 0 {
			code = arrayRefused
		}
		return "", "Error: " + err.Message + " (" + err.Code + ")\n", code
	}
	if line.json {
		b, err := json.MarshalIndent(out, "", "  ")
		if err != nil {
			panic(err) // only views come here
		}
		return string(b) + "\n", "", arrayDone
	}
	return arrayTable(out), "", arrayDone
}

func (a *array) run(line arrayLine) (any, *ArrayError) {
	length := min(len(line.words), 2)
	if len(line.words) > 2 && (line.words[1] == "replication" || line.words[1] == "clone") {
		length = 3
	}
	verb, names := strings.Join(line.words[:length], " "), line.words[length:]
	wants := func(least, most int) *ArrayError {
		if len(names) < least || len(names) > most {
			return arrayMistake("%q is not a command; help lists them", strings.Join(line.words, " "))
		}
		return nil
	}
	if line.flag && verb != "volume replication resync" || line.access != "" && verb != "volume modify" {
		return nil, arrayMistake("%q does not take that; help lists the commands", verb)
	}
	switch verb {
	case "help":
		return arrayHelp, wants(0, 0)
	case "volume show":
		return a.show(wants(0, 1), names, func(name string) (any, *ArrayError) {
			x, err := a.volume(name)
			if err != nil {
				return nil, err
			}
			return a.volumeView(x), nil
		}, func() any {
			views := []ArrayVolume{}
			for _, x := range a.exports() {
				views = append(views, a.volumeView(x))
			}
			return views
		})
	case "volume replication show":
		return a.show(wants(0, 1), names, func(name string) (any, *ArrayError) {
			p, err := a.replication(name)
			if err != nil {
				return nil, err
			}
			return a.replicationView(p), nil
		}, func() any {
			views := []ArrayReplication{}
			for _, p := range a.replications() {
				views = append(views, a.replicationView(p))
			}
			return views
		})
	case "job show":
		return a.show(wants(1, 1), names, func(id string) (any, *ArrayError) { return jobAnswer(a.job(id)) }, nil)
	case "volume modify":
		if err := wants(1, 1); err != nil {
			return nil, err
		}
		x, err := a.volume(names[0])
		if err != nil {
			return nil, err
		}
		return jobAnswer(a.setAccess(x, line.access))
	case "volume clone show", "volume clone create", "volume clone delete":
		return a.cloneCommand(verb, names, wants)
	}
	operation, isOperation := strings.CutPrefix(verb, "volume replication ")
	if !isOperation || !slices.Contains(arrayOperations, operation) {
		return nil, arrayMistake("%q is not a command; help lists them", strings.Join(line.words, " "))
	}
	if err := wants(1, 1); err != nil {
		return nil, err
	}
	p, err := a.replication(names[0])
	if err != nil {
		return nil, err
	}
	return jobAnswer(a.operate(p, operation, line.flag))
}

// show answers about one object, or about all.
func (a *array) show(wrong *ArrayError, names []string, one func(string) (any, *ArrayError), all func() any) (any, *ArrayError) {
	switch {
	case wrong != nil:
		return nil, wrong
	case len(names) == 1:
		return one(names[0])
	}
	return all(), nil
}

func (a *array) cloneCommand(verb string, names []string, wants func(int, int) *ArrayError) (any, *ArrayError) {
	count := 2
	if verb == "volume clone show" {
		count = 1
	}
	if err := wants(count, count); err != nil {
		return nil, err
	}
	x, err := a.volume(names[0])
	if err != nil {
		return nil, err
	}
	switch verb {
	case "volume clone show":
		return a.clonesOf(x), nil
	case "volume clone create":
		return jobAnswer(a.makeClone(x, names[1]))
	}
	return jobAnswer(a.dropClone(x, names[1]))
}

// parseArrayLine splits a line into words and flags. A word can stand in single quotes, as shells have them.
func parseArrayLine(text string) (line arrayLine, wrong *ArrayError) {
	words, wrong := splitWords(text)
	if wrong != nil {
		return line, wrong
	}
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-json":
			line.json = true
		case word == "-discard":
			line.flag = true
		case word == "-access":
			if i+1 == len(words) {
				return line, arrayMistake("-access needs a value: read-only or read-write")
			}
			i++
			line.access = words[i]
		case strings.HasPrefix(word, "-"):
			return line, arrayMistake("there is no flag %s; help lists the commands", word)
		default:
			line.words = append(line.words, word)
		}
	}
	if len(line.words) == 0 {
		return line, arrayMistake("there is no command; help lists them")
	}
	return line, nil
}

func splitWords(text string) ([]string, *ArrayError) {
	var words []string
	var word strings.Builder
	inWord, quoted, escaped := false, false, false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\'':
			quoted, inWord = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == '\\':
			escaped, inWord = true, true
		case r == ' ' || r == '\t' || r == '\n':
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quoted || escaped {
		return nil, arrayMistake("a quote is not closed: %s", text)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// arrayTable writes what a command answers for people.
func arrayTable(out any) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	synced := func(r ArrayReplication) string {
		if r.LastSync == nil {
			return "-"
		}
		return r.LastSync.Format(time.RFC3339)
	}
	replications := func(list []ArrayReplication) {
		fmt.Fprintln(t, "NAME\tROLE\tSTATE\tVOLUME\tACCESS\tPEER\tLAST SYNC\tLAG")
		for _, r := range list {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s:%s (%s)\t%s\t%.0f s\n", r.Name, r.Role, r.State, r.Volume, r.Access, r.PeerArray, r.PeerVolume, r.PeerAccess, synced(r), r.LagSeconds)
		}
	}
	volumes := func(list []ArrayVolume) {
		fmt.Fprintln(t, "NAME\tPATH\tACCESS\tONLINE\tREPLICATION\tIN USE")
		for _, v := range list {
			fmt.Fprintf(t, "%s\t%s\t%s\t%t\t%s\t%s\n", v.Name, v.Path, v.Access, v.Online, v.Replication, v.InUse)
		}
	}
	switch v := out.(type) {
	case string:
		return v
	case ArrayJob:
		fmt.Fprintf(t, "job %s: %s %s: %s\n", v.ID, v.Operation, v.Object, v.State)
		if v.Error != nil {
			fmt.Fprintf(t, "%s\n", v.Error.Message)
		}
	case ArrayVolume:
		volumes([]ArrayVolume{v})
	case []ArrayVolume:
		volumes(v)
	case ArrayReplication:
		replications([]ArrayReplication{v})
	case []ArrayReplication:
		replications(v)
	case []ArrayClone:
		fmt.Fprintln(t, "NAME\tVOLUME\tPATH\tAS OF")
		for _, c := range v {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.Name, c.Volume, c.Path, c.AsOf.Format(time.RFC3339))
		}
	}
	_ = t.Flush() // to a strings.Builder
	return b.String()
}
