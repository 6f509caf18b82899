package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"drrun/engine"
)

// Where secrets are kept on this machine. DRRUN_SECRETS names the file elsewhere, DRRUN_SECRETS_KEY the key that opens it.
const (
	secretsVariable    = "DRRUN_SECRETS"
	secretsKeyVariable = "DRRUN_SECRETS_KEY"
	secretsName        = "secrets.age"
	secretsKeyName     = "secrets.key"
)

// secretStore is a file of secrets by name, encrypted to a key (age, X25519) that lies in a file of its own.
type secretStore struct {
	files     engine.FS
	file, key string // "" where there is no place for them
}

func (env Env) secretStore(files engine.FS) secretStore {
	s := secretStore{files: files}
	if dir := env.configDir(); dir != "" {
		s.file, s.key = filepath.Join(dir, secretsName), filepath.Join(dir, secretsKeyName)
	}
	if file, _ := env.Getenv(secretsVariable); file != "" {
		s.file = file
	}
	if key, _ := env.Getenv(secretsKeyVariable); key != "" {
		s.key = key
	}
	return s
}

// errNoSecretsKey says that there are secrets, and nothing to open them with.
var errNoSecretsKey = errors.New("the key that opens it is not there")

// read returns all secrets by name; none where there is no file yet.
func (s secretStore) read() (map[string]string, error) {
	secrets := map[string]string{}
	if s.file == "" {
		return secrets, nil
	}
	sealed, err := s.files.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return secrets, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the secrets: %w", err)
	}
	identity, err := s.identity()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open the secrets in %s: %w: %s", s.file, errNoSecretsKey, s.key)
	}
	if err != nil {
		return nil, err
	}
	opened, err := age.Decrypt(bytes.NewReader(sealed), identity)
	if err != nil {
		return nil, fmt.Errorf("open the secrets in %s with the key %s: %w", s.file, s.key, err)
	}
	text, err := io.ReadAll(opened)
	if err == nil {
		err = json.Unmarshal(text, &secrets)
	}
	if err != nil { // its text may hold a secret
		return nil, fmt.Errorf("open the secrets in %s with the key %s: the file is damaged", s.file, s.key)
	}
	return secrets, nil
}

// find returns one secret.
func (s secretStore) find(name string) (value string, found bool, err error) {
	secrets, err := s.read()
	if err != nil {
		return "", false, err
	}
	value, found = secrets[name]
	return value, found, nil
}

// change reads the secrets, lets fn change them, and writes them. The first change makes the key.
func (s secretStore) change(fn func(secrets map[string]string) error) error {
	if s.file == "" || s.key == "" {
		return errors.New("there is no place for secrets: HOME is not set")
	}
	if err := s.files.MkdirAll(filepath.Dir(s.file)); err != nil {
		return fmt.Errorf("make the folder of the secrets: %w", err)
	}
	unlock, _, err := s.files.Lock(s.file+".lock", []byte("drrun secrets\n"))
	if err != nil {
		return fmt.Errorf("change the secrets in %s: %w", s.file, err)
	}
	defer func() { _ = unlock() }() // it ends with the process too
	secrets, err := s.read()
	if err != nil {
		return err
	}
	if err := fn(secrets); err != nil {
		return err
	}
	identity, err := s.identity()
	if errors.Is(err, fs.ErrNotExist) {
		identity, err = s.makeIdentity()
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(secrets)
	if err != nil {
		return fmt.Errorf("write the secrets: %w", err)
	}
	var sealed bytes.Buffer
	into, err := age.Encrypt(&sealed, identity.Recipient())
	if err == nil {
		_, err = into.Write(text)
	}
	if err == nil {
		err = into.Close()
	}
	if err == nil {
		err = s.files.WriteFile(s.file, sealed.Bytes(), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the secrets to %s: %w", s.file, err)
	}
	return nil
}

// identity reads the key; the error matches fs.ErrNotExist where there is none.
func (s secretStore) identity() (*age.X25519Identity, error) {
	text, err := s.files.ReadFile(s.key)
	if err != nil {
		return nil, fmt.Errorf("read the key of the secrets: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		identity, err := age.ParseX25519Identity(line)
		if err != nil { // the error may hold the line
			return nil, fmt.Errorf("read the key of the secrets: %s holds no age key (AGE-SECRET-KEY-1…)", s.key)
		}
		return identity, nil
	}
	return nil, fmt.Errorf("read the key of the secrets: %s is empty", s.key)
}

func (s secretStore) makeIdentity() (*age.X25519Identity, error) {
	identity, err := age.GenerateX25519Identity()
	if err == nil {
		err = s.files.MkdirAll(filepath.Dir(s.key))
	}
	if err == nil {
		err = s.files.WriteFile(s.key, []byte("# opens "+s.file+"\n# public key: "+identity.Recipient().String()+"\n"+identity.String()+"\n"), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("make the key of the secrets in %s: %w", s.key, err)
	}
	return identity, nil
}

// names lists the secrets, sorted.
func (s secretStore) names() ([]string, error) {
	secrets, err := s.read()
	return slices.Sorted(maps.Keys(secrets)), err
}
