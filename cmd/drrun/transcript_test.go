package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// transcript is a page that shows what was typed and what came of it. Its blocks of code are played in their order, in one shell:
//
//	```console        commands behind "$ ", each followed by its output; a line "…" stands for any number of lines
//	```console other  another terminal: its one command goes on beside; a block without one shows what it wrote next
//	```lua FILE       the whole of a file that the reader writes
//	```diff           what the reader edits in the file that its line "--- FILE" names; "@@" stands between two places
//
// RUN is the newest run. The output is compared with what times, ids and ports make different taken out. A command that ends with another
// code than 0 is followed by "$ echo $?". -update rewrites the output, but neither a command nor a file.
type transcript struct {
	t       *testing.T
	dir     string
	shell   *bufio.Reader
	typed   io.Writer
	replace *strings.Replacer
	beside  *bufio.Reader // what the command of the other terminal writes
	page    []string      // as it would be, with the output of now
	played  int           // commands
}

const (
	transcriptMark = "=== that was it, it ended with "
	anyLines       = "…"
)

var (
	fence      = regexp.MustCompile("^```(\\w+)(?: (\\S+))?$")
	beginsALab = regexp.MustCompile(`^(?:bin/)?drrun lab --`)
	notPlayed  = regexp.MustCompile(`^(?:git|make|go) `)
	took       = regexp.MustCompile(`(?m) +\d+\.\d\ds$`)
	spanAtEnd  = regexp.MustCompile(`(?m), \d[\dhms]*$`)
	counters   = regexp.MustCompile(`(?m)^(vm\d +)\d+ +\d+$`)
)

// playTranscript plays a page and returns what it would be now. A difference is an error unless update is given.
func playTranscript(t *testing.T, page string) (text string, commands int) {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the pages are written for bash")
	}
	tr := &transcript{t: t, dir: t.TempDir(), replace: strings.NewReplacer()}
	tr.openShell()
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		tr.page = append(tr.page, lines[i])
		match := fence.FindStringSubmatch(lines[i])
		if match == nil {
			continue
		}
		end := i + 1
		for end < len(lines) && lines[end] != "```" {
			end++
		}
		body := lines[i+1 : end]
		switch kind, file := match[1], match[2]; {
		case kind == "console" && file == "other":
			tr.other(body, i+2)
		case kind == "console":
			tr.console(body, i+2)
		case kind == "diff":
			tr.edit(body, i+2)
			tr.page = append(tr.page, body...)
		case file != "":
			tr.write(file, strings.Join(body, "\n")+"\n")
			tr.page = append(tr.page, body...)
		default:
			tr.page = append(tr.page, body...)
		}
		tr.page = append(tr.page, "```")
		i = end
	}
	return strings.Join(tr.page, "\n"), tr.played
}

// openShell starts the shell in which everything is typed. What it writes comes in the order in which it was written.
func (tr *transcript) openShell() {
	tr.t.Helper()
	program, err := exec.LookPath("drrun")
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(tr.dir, "bin"), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(tr.dir, "bin", "drrun")); err != nil {
		tr.t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	shell := exec.Command("bash", "--noprofile", "--norc")
	shell.Dir, shell.Stdout, shell.Stderr = tr.dir, in, in
	shell.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(tr.dir, "config"), "NO_COLOR=1")
	typed, err := shell.StdinPipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		tr.t.Fatal(err)
	}
	_ = in.Close()
	tr.shell, tr.typed = bufio.NewReader(out), typed
	tr.t.Cleanup(func() {
		_ = typed.Close()
		_, _ = io.Copy(io.Discard, out) // until the last process of the shell has ended
		_ = shell.Wait()
		_ = out.Close()
	})
}

// console plays the commands of a block and holds their output against what the page shows.
func (tr *transcript) console(body []string, line int) {
	tr.t.Helper()
	for i := 0; i < len(body); {
		command, ok := strings.CutPrefix(body[i], "$ ")
		if !ok {
			tr.t.Fatalf("line %d: a block of the console begins with a command behind \"$ \", not with %q", line+i, body[i])
		}
		at := line + i
		tr.page = append(tr.page, body[i])
		for strings.HasSuffix(command, "\\") {
			i++
			command += "\n" + body[i]
			tr.page = append(tr.page, body[i])
		}
		i++
		from := i
		for i < len(body) && !strings.HasPrefix(body[i], "$ ") {
			i++
		}
		shown := body[from:i]
		tr.page = append(tr.page, tr.play(command, shown, at, i < len(body) && body[i] == "$ echo $?")...)
	}
}

// other plays a block of the other terminal.
func (tr *transcript) other(shown []string, line int) {
	tr.t.Helper()
	if command, ok := strings.CutPrefix(shown[0], "$ "); ok {
		tr.page = append(tr.page, shown[0])
		tr.played++
		tr.startBeside(command)
		shown = shown[1:]
	}
	if tr.beside == nil {
		tr.t.Fatalf("line %d: nothing runs in the other terminal", line)
	}
	var got []string
	for range shown { // it waits for the next save where it has said all
		text, err := tr.beside.ReadString('\n')
		if err != nil {
			tr.t.Fatalf("line %d: the other terminal: %v\n%s", line, err, strings.Join(got, "\n"))
		}
		got = append(got, tr.replace.Replace(strings.TrimRight(text, "\n")))
	}
	if !matches(strings.Split(tr.same(strings.Join(shown, "\n")), "\n"), strings.Split(tr.same(strings.Join(got, "\n")), "\n")) {
		if !*update {
			tr.t.Errorf("line %d: the other terminal shows now:\n%s\n\nthe page has:\n%s", line, strings.Join(got, "\n"), strings.Join(shown, "\n"))
		}
		shown = got
	}
	tr.page = append(tr.page, shown...)
}

// besideTimeout ends a test whose other terminal says less than the page shows.
const besideTimeout = 30 * time.Second

// startBeside starts the command of the other terminal, where the shell is and with its variables.
func (tr *transcript) startBeside(command string) {
	tr.t.Helper()
	pipe := filepath.Join(tr.dir, "other-terminal")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		tr.t.Fatal(err)
	}
	started, code := tr.run(command + " >" + pipe + " 2>&1 & echo $!")
	id, err := strconv.Atoi(strings.TrimSpace(started))
	if code != 0 || err != nil {
		tr.t.Fatalf("%s: %v\n%s", command, err, started)
	}
	out, err := os.Open(pipe)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.beside = bufio.NewReader(out)
	stop := func() { _ = syscall.Kill(id, syscall.SIGINT) } // it may have ended
	late := time.AfterFunc(besideTimeout, stop)
	tr.t.Cleanup(func() {
		late.Stop()
		stop()
		_, _ = io.Copy(io.Discard, out)
		_ = out.Close()
	})
}

// play runs a command and returns the output to show.
func (tr *transcript) play(command string, shown []string, line int, mayFail bool) []string {
	tr.t.Helper()
	tr.played++
	var got string
	switch {
	case notPlayed.MatchString(command):
		return shown
	case beginsALab.MatchString(command):
		got = tr.startLab(command)
	default:
		var code int
		got, code = tr.run(command)
		if code != 0 && !mayFail {
			tr.t.Fatalf("line %d: %s\nended with %d, and no echo $? behind it says so:\n%s", line, command, code, got)
		}
	}
	var output []string
	if got = strings.Trim(got, "\n"); got != "" {
		output = strings.Split(got, "\n")
	}
	want := strings.Split(tr.same(strings.Join(trimmed(shown), "\n")), "\n")
	if matches(want, strings.Split(tr.same(got), "\n")) {
		return shown
	}
	if !*update {
		tr.t.Errorf("line %d: %s\nshows another output now:\n%s\n\nthe page has:\n%s", line, command, got, strings.Join(shown, "\n"))
	}
	if len(shown) > 0 && shown[len(shown)-1] == "" { // a line of space before the next command
		output = append(output, "")
	}
	return output
}

func trimmed(lines []string) []string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// run types a command and returns what it wrote and its exit code.
func (tr *transcript) run(command string) (string, int) {
	tr.t.Helper()
	if strings.Contains(command, " RUN") {
		command = strings.ReplaceAll(command, " RUN", ` "$(drrun history | awk 'NR==2 {print $1}')"`)
	}
	// $? is that of the command before; what is typed next is not for the command to read.
	if _, err := fmt.Fprintf(tr.typed, "(exit ${transcript_code:-0}); { %s\n} </dev/null; transcript_code=$?; echo; echo '%s'$transcript_code\n", command, transcriptMark); err != nil {
		tr.t.Fatal(err)
	}
	var out strings.Builder
	for {
		text, err := tr.shell.ReadString('\n')
		if err != nil {
			tr.t.Fatalf("the shell ended in %q: %v\n%s", command, err, out.String())
		}
		if code, ok := strings.CutPrefix(strings.TrimSpace(text), transcriptMark); ok {
			number, err := strconv.Atoi(code)
			if err != nil {
				tr.t.Fatal(err)
			}
			return tr.replace.Replace(strings.TrimSuffix(out.String(), "\n")), number
		}
		out.WriteString(text)
	}
}

// startLab starts a lab as the page says, on free ports and twice as fast, and returns what it wrote when it was ready. It ends with the test.
func (tr *transcript) startLab(command string) string {
	tr.t.Helper()
	args := strings.Fields(strings.Replace(command, "--speed 30", "--speed 60", 1))[1:]
	args = append(args, "--primary", "127.0.0.1:0", "--secondary", "127.0.0.1:0", "--control", "127.0.0.1:0", "--until-stdin-closes")
	process := exec.Command(filepath.Join(tr.dir, "bin", "drrun"), args...)
	process.Dir, process.Stderr = tr.dir, os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		tr.t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		_ = process.Wait()
	})
	var out strings.Builder
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		fmt.Fprintln(&out, scanner.Text())
		if strings.HasPrefix(scanner.Text(), "Ctrl-C ends the lab") {
			break
		}
	}
	addresses := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(out.String(), -1)
	if len(addresses) < 3 {
		tr.t.Fatalf("the lab does not start:\n%s", out.String())
	}
	tr.replace = strings.NewReplacer(addresses[0], "127.0.0.1:7070", addresses[1], "127.0.0.1:8443", addresses[2], "127.0.0.1:9443",
		tr.dir, "/home/ann", "time runs 60 times", "time runs 30 times", "DRRUN_SPEED=60", "DRRUN_SPEED=30")
	return tr.replace.Replace(out.String())
}

// same takes out of a text what differs from one playing to the next.
func (tr *transcript) same(text string) string {
	for _, s := range scrubbing {
		text = s.what.ReplaceAllString(text, s.with)
	}
	text = took.ReplaceAllString(text, " TOOK")
	text = spanAtEnd.ReplaceAllString(text, ", SPAN")
	return counters.ReplaceAllString(text, "${1}COUNT COUNT")
}

// matches compares lines; "…" among those that are wanted stands for any number of lines.
func matches(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == anyLines {
		for skipped := range len(got) + 1 {
			if matches(want[1:], got[skipped:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && strings.TrimRight(want[0], " ") == strings.TrimRight(got[0], " ") && matches(want[1:], got[1:])
}

// here is a file of the page: the reader is in the folder in which the shell is.
func (tr *transcript) here(name string) string {
	tr.t.Helper()
	folder, code := tr.run("pwd -P")
	if code != 0 {
		tr.t.Fatal(folder)
	}
	real, err := filepath.EvalSymlinks(tr.dir)
	if err != nil {
		tr.t.Fatal(err)
	}
	folder = strings.Replace(strings.TrimSpace(folder), "/home/ann", real, 1)
	return filepath.Join(folder, name)
}

func (tr *transcript) write(name, text string) {
	tr.t.Helper()
	path := tr.here(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

// edit carries out a diff: what it takes away, with the lines around it, must stand in the file exactly once.
func (tr *transcript) edit(body []string, line int) {
	tr.t.Helper()
	name, ok := strings.CutPrefix(body[0], "--- ")
	if !ok || len(body) < 3 || body[1] != "+++ "+name {
		tr.t.Fatalf("line %d: a diff begins with --- FILE and +++ FILE", line)
	}
	path := tr.here(name)
	content, err := os.ReadFile(path)
	if err != nil {
		tr.t.Fatal(err)
	}
	text := string(content)
	var before, after strings.Builder
	carryOut := func(at int) {
		if before.Len() == 0 && after.Len() == 0 {
			return
		}
		if count := strings.Count(text, before.String()); count != 1 {
			tr.t.Fatalf("line %d: the place stands %d times in %s:\n%s\n%s", at, count, name, before.String(), text)
		}
		text = strings.Replace(text, before.String(), after.String(), 1)
		before.Reset()
		after.Reset()
	}
	for i, row := range body[2:] {
		switch {
		case strings.HasPrefix(row, "@@"):
			carryOut(line + i)
		case strings.HasPrefix(row, "-"):
			before.WriteString(row[1:] + "\n")
		case strings.HasPrefix(row, "+"):
			after.WriteString(row[1:] + "\n")
		default:
			row = strings.TrimPrefix(row, " ")
			before.WriteString(row + "\n")
			after.WriteString(row + "\n")
		}
	}
	carryOut(line + len(body))
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}
