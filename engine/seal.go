package engine

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
)

// The hash chain of a journal finds a record that was changed, removed or moved. It cannot find a journal whose end was cut off or
// extended, or whose chain was computed anew: all that needs no secret. A seal does: it is a signature over the number of records and
// the hash of the last, made whenever an attempt ends, by a key that whoever wants to forge a journal does not have.

// SealSchema names the form of a seal.
const SealSchema = "drrun.seal/1"

// Seal is what seal.json holds: what an attempt left behind, signed.
type Seal struct {
	Schema    string            `json:"schema"`
	Run       string            `json:"run"`
	Records   int64             `json:"records"`    // of the journal
	Last      string            `json:"last"`       // sha256 in hex of the last record's line, without its newline
	Files     map[string]string `json:"files"`      // sha256 in hex of each report file, by name
	Key       []byte            `json:"public_key"` // Ed25519
	Signature []byte            `json:"signature"`  // of Message
}

// Message is what is signed: the canonical JSON of the seal without its signature.
func (s Seal) Message() ([]byte, error) {
	s.Signature = nil
	return Canonical(s)
}

// WithSigner makes the run seal its journal with a key whenever an attempt ends.
func WithSigner(key ed25519.PrivateKey) Option { return func(r *Run) { r.signer = key } }

// Fingerprint names a public key for people: the first 16 bytes of its SHA-256 in hex, in pairs.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	var out []byte
	for i, b := range sum[:16] {
		if i > 0 {
			out = append(out, ':')
		}
		out = hex.AppendEncode(out, []byte{b})
	}
	return string(out)
}

func sealPath(runDir string) string { return filepath.Join(runDir, "seal.json") }

// seal signs the journal, which is closed, with the report files. An attempt without a key leaves the seal of the one before, which
// still covers what was written up to then.
func (r *Run) seal(files map[string][]byte) error {
	if r.signer == nil {
		return nil
	}
	public := r.signer.Public().(ed25519.PublicKey)
	s := Seal{Schema: SealSchema, Run: r.id, Files: map[string]string{}, Key: public}
	s.Records, s.Last = r.journal.end()
	for name, data := range files {
		s.Files[name] = hashLine(data)
	}
	message, err := s.Message()
	if err != nil {
		return err
	}
	s.Signature = ed25519.Sign(r.signer, message)
	raw, err := marshal(s)
	if err != nil {
		return err
	}
	text := append(indent(raw), '\n')
	if err := r.env.FS.WriteFile(sealPath(r.dir), text, 0o600); err != nil {
		return err
	}
	_ = r.mirrorFiles("", map[string][]byte{filepath.Base(sealPath(r.dir)): text}) // a mirror that is lost has said so
	return nil
}

// What Verify can find.
const (
	VerifiedSealed = "sealed" // a trusted key signed all of it: it is as it was when the last attempt ended
	VerifiedOpen   = "open"   // nothing is wrong inside; whether its end was cut off or extended cannot be told
	VerifiedBroken = "broken" // it was changed after it was written, or is damaged
)

// Verification is what became of a run's journal since it was written.
type Verification struct {
	State string `json:"state"`         // one of the Verified constants
	Run   string `json:"run,omitempty"` // id of the run, as its head says
	// Attempt is the last one, and Ended how it ended, "" where it has no end: an older copy of the whole folder, with the seal of then,
	// cannot be told from the present one but by these.
	Attempt int    `json:"attempt"`
	Ended   string `json:"ended,omitempty"`
	Records int64  `json:"records"`
	// Record is the first that cannot be trusted, from 1, where the state is broken; 0 where it is a file beside the journal.
	Record      int64  `json:"record,omitempty"`
	File        string `json:"file,omitempty"` // what is not as it was, where it is not the journal
	Reason      string `json:"reason"`         // for people
	Last        string `json:"last,omitempty"` // hash of the last record
	Fingerprint string `json:"fingerprint,omitempty"`
	Sealed      int64  `json:"sealed"` // how many records a seal covers whose signature holds, by a trusted key or not
}

// Verify holds the journal of a run in a folder against its hash chain, its snapshots against their digests, and all that against the
// seal, where there is one. Only keys that are trusted make it sealed; a seal of another key is no better than none, and where a key is
// trusted it is worse. The error says that the folder could not be read.
func Verify(env Env, runDir string, trusted ...ed25519.PublicKey) (Verification, error) {
	data, err := env.FS.ReadFile(journalPath(runDir))
	if errors.Is(err, fs.ErrNotExist) {
		return Verification{}, fmt.Errorf("verify %s: %w: there is no journal", runDir, ErrNoRun)
	}
	if err != nil {
		return Verification{}, fmt.Errorf("verify %s: %w", runDir, err)
	}
	v := verifier{env: env, dir: runDir}
	v.Records, v.State = int64(bytes.Count(data, []byte{'\n'})), VerifiedOpen
	v.journal(data)
	if v.State != VerifiedBroken {
		v.snapshots()
	}
	if err := v.seal(data, trusted); err != nil {
		return Verification{}, fmt.Errorf("verify %s: %w", runDir, err)
	}
	return v.Verification, nil
}

type verifier struct {
	Verification
	env     Env
	dir     string
	records []Record
}

// broken keeps the first thing that is wrong.
func (v *verifier) broken(record int64, file, format string, args ...any) {
	if v.State == VerifiedBroken {
		return
	}
	v.State, v.Record, v.File, v.Reason = VerifiedBroken, record, file, fmt.Sprintf(format, args...)
}

func (v *verifier) journal(data []byte) {
	defer func() {
		info := RunInfo{}
		for i := range v.records {
			info.add(&v.records[i])
		}
		v.Attempt, v.Ended = info.Attempts, info.Status
		if len(v.records) > 0 {
			v.Run = v.records[0].Run
		}
	}()
	var wrong *JournalError
	var err error
	if v.records, _, v.Last, err = decode(data); errors.As(err, &wrong) {
		v.broken(wrong.Record, "", "%s", wrong.Reason)
	} else if len(v.records) == 0 {
		v.broken(1, "", "the journal has no whole record")
	}
}

// snapshots compares the texts that the run went by with the digests that the journal has of them.
func (v *verifier) snapshots() {
	info := RunInfo{Records: v.records}
	if len(v.records) > 0 && v.records[0].Head != nil {
		info.Head = *v.records[0].Head
	}
	for _, file := range info.snapshotsIn(v.env, v.dir) {
		if file.Err != nil {
			name := filepath.Join(snapshotOf(file.Attempt), file.Name)
			v.broken(file.Record, name, "the file %s is not the one that record %d names: %v", name, file.Record, file.Err)
		}
	}
}

// seal holds the journal against the signature.
func (v *verifier) seal(data []byte, trusted []ed25519.PublicKey) error {
	text, err := v.env.FS.ReadFile(sealPath(v.dir))
	if errors.Is(err, fs.ErrNotExist) {
		v.open("it has no seal: whether its end was cut off or extended, or all of it computed anew, cannot be told")
		return nil
	}
	if err != nil {
		return err
	}
	var s Seal
	if err := json.Unmarshal(text, &s); err != nil || s.Schema != SealSchema || len(s.Key) != ed25519.PublicKeySize {
		v.broken(0, "seal.json", "the seal cannot be read: it is no JSON of the schema %s", SealSchema)
		return nil
	}
	v.Fingerprint = Fingerprint(s.Key)
	message, err := s.Message()
	if err != nil || !ed25519.Verify(s.Key, message, s.Signature) {
		v.broken(0, "seal.json", "the signature of the seal does not hold: the seal was changed")
		return nil
	}
	known := slices.ContainsFunc(trusted, func(key ed25519.PublicKey) bool { return bytes.Equal(key, s.Key) })
	if len(trusted) > 0 && !known {
		v.broken(0, "seal.json", "it is sealed with the key %s, which is none of the trusted ones", v.Fingerprint)
		return nil
	}
	v.Sealed = s.Records
	v.covered(data, s)
	switch {
	case v.State == VerifiedBroken:
	case v.Records > s.Records:
		v.open("the seal covers the first %d of its records; those after it were written by an attempt that has not ended, or has not sealed it", s.Records)
	case !known:
		v.open("it is sealed with the key %s, and which key to trust is not known", v.Fingerprint)
	default:
		v.State, v.Reason = VerifiedSealed, fmt.Sprintf("all %d records and the report are as they were sealed with the key %s", v.Records, v.Fingerprint)
	}
	return nil
}

func (v *verifier) open(format string, args ...any) {
	if v.State != VerifiedBroken {
		v.State, v.Reason = VerifiedOpen, fmt.Sprintf(format, args...)
	}
}

// covered looks for what the seal covers and the folder has no more.
func (v *verifier) covered(data []byte, s Seal) {
	if v.Records < s.Records {
		v.broken(v.Records+1, "", "the journal ends with record %d and was sealed with %d: its end was cut off", v.Records, s.Records)
		return
	}
	lines := bytes.SplitAfter(data, []byte{'\n'})
	if s.Records < 1 || hashLine(bytes.TrimSuffix(lines[s.Records-1], []byte{'\n'})) != s.Last {
		v.broken(s.Records, "", "record %d is not the one that was sealed: it, or records before it, were changed and the chain computed anew", s.Records)
		return
	}
	if v.Records == s.Records {
		if len(lines[s.Records]) > 0 {
			v.broken(s.Records+1, "", "something was written behind the last record, which was sealed")
			return
		}
	} else if v.State != VerifiedBroken && v.records[s.Records].Kind != kindAttempt {
		v.broken(s.Records+1, "", "it was written behind the seal, and is no new attempt")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		text, err := v.env.FS.ReadFile(filepath.Join(v.dir, name))
		switch {
		case v.Records > s.Records: // the attempt after it may be writing its own
		case err != nil:
			v.broken(0, name, "the file %s was sealed and cannot be read: %v", name, err)
		case hashLine(text) != s.Files[name]:
			v.broken(0, name, "the file %s is not the one that was sealed", name)
		}
	}
}
