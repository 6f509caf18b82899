package main

import (
	"cmp"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"drrun/engine"
)

// Where the keys of seals are. DRRUN_SIGNING_KEY names the private one elsewhere.
const (
	signingKeyVariable = "DRRUN_SIGNING_KEY"
	privateKeyName     = "signing.key"
	publicKeyName      = "signing.pub"
)

// configDir is where keys are kept, "" where there is no place for them.
func (env Env) configDir() string {
	if dir, _ := env.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "drrun")
	}
	if home, _ := env.Getenv("HOME"); home != "" {
		return filepath.Join(home, ".config", "drrun")
	}
	return ""
}

// signingKeyFile is the file of the private key; asked tells that somebody named it.
func (env Env) signingKeyFile() (path string, asked bool) {
	if path, _ := env.Getenv(signingKeyVariable); path != "" {
		return path, true
	}
	if dir := env.configDir(); dir != "" {
		return filepath.Join(dir, privateKeyName), false
	}
	return "", false
}

// signer returns the key that seals runs, nil where none is configured. One that cannot be read stops nothing: it is a warning. One that
// others can read seals all the same, for a seal cannot be made later, and the report says what it is worth.
func (env Env) signer(files engine.FS) (key ed25519.PrivateKey, warning []string) {
	path, asked := env.signingKeyFile()
	if path == "" {
		return nil, nil
	}
	text, err := files.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return nil, nil
	}
	if err == nil {
		key, err = parsePrivateKey(text)
	}
	if err != nil {
		return nil, []string{fmt.Sprintf("the run is not sealed: the signing key %s cannot be used: %v", path, err)}
	}
	if entry, err := files.Stat(path); err == nil && entry.Shared {
		warning = []string{fmt.Sprintf("others than %s can read or change the signing key %s, so they could seal a journal that they have changed: chmod 600 %s, or make a new one with drrun keygen",
			cmp.Or(env.User, "its owner"), path, shellWord(path))}
	}
	return key, warning
}

const (
	privateKeyBlock = "PRIVATE KEY" // PKCS 8
	publicKeyBlock  = "PUBLIC KEY"  // SubjectPublicKeyInfo
)

func decodeBlock(text []byte, kind string) ([]byte, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("it is no PEM file with a %s", kind)
	}
	return block.Bytes, nil
}

func parsePrivateKey(text []byte) (ed25519.PrivateKey, error) {
	der, err := decodeBlock(text, privateKeyBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signing, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("it is no Ed25519 key")
	}
	return signing, nil
}

func parsePublicKey(text []byte) (ed25519.PublicKey, error) {
	der, err := decodeBlock(text, publicKeyBlock)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	public, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("it is no Ed25519 key")
	}
	return public, nil
}
