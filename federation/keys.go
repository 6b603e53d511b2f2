package federation

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/skjold-exchange/skjold/federation/jose"
)

// Names of the key files in a node's key directory.
const (
	FederationKeyFile = "federation.jwk"
	RequestKeyFile    = "request.jwk"
)

// maxKeyFile bounds what LoadKey reads, in bytes.
const maxKeyFile = 4 << 10

// Keys are the private keys of a node.
type Keys struct {
	// Federation signs the entity configuration; its thumbprint is what peers pin.
	Federation *jose.Key
	// Request signs request tokens.
	Request *jose.Key
	// First is the thumbprint of the node's first federation key, which stays its mark when the key is rotated; "" where
	// only the two keys are known.
	First string
}

// CreateKeys makes the two keys of a new node in an existing directory. Nothing is left behind when it fails, and keys
// that are already there are never touched: they are an error that matches fs.ErrExist.
func CreateKeys(dir string) (Keys, error) {
	federationKey, err := CreateKey(filepath.Join(dir, FederationKeyFile))
	if err != nil {
		return Keys{}, err
	}
	requestKey, err := CreateKey(filepath.Join(dir, RequestKeyFile))
	if err != nil {
		return Keys{}, errors.Join(err, os.Remove(filepath.Join(dir, FederationKeyFile)))
	}
	return Keys{Federation: federationKey, Request: requestKey, First: federationKey.ID()}, nil
}

// LoadKeys reads the keys with which a node signs now.
func LoadKeys(dir string) (Keys, error) {
	ring, err := OpenKeyRing(dir)
	if err != nil {
		return Keys{}, err
	}
	return ring.Keys(time.Now()), nil
}

// CreateKey makes an Ed25519 key and writes it to a new file as a private JWK, mode 0600, durable on return. A file that
// exists is an error that matches fs.ErrExist.
func CreateKey(path string) (*jose.Key, error) {
	key, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		return nil, err
	}
	text, err := key.MarshalPrivate()
	if err != nil {
		return nil, fmt.Errorf("create the key file %s: %w", path, err)
	}
	// The file gets its name when it is whole: a crash leaves no half key behind that would be taken for one.
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return nil, fmt.Errorf("create the key file: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("create the key file %s: %w", path, err)
	}
	if err := os.Link(f.Name(), path); err != nil { // unlike a rename, it never replaces a key
		return nil, fmt.Errorf("create the key file: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(fmt.Errorf("create the key file %s: %w", path, err), os.Remove(path))
	}
	return key, nil
}

// syncDir makes a new file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadKey reads a private JWK. It refuses a file that anybody but its owner may read, write or run, and content that is
// not a private Ed25519 or P-256 key.
func LoadKey(path string) (*jose.Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	if err := checkKeyFile(path, info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the key file %s: %w", path, err)
	}
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("the key file %s has more than %d bytes: it is no JSON Web Key", path, maxKeyFile)
	}
	key, err := jose.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("the key file %s does not hold a private key as JSON Web Key; restore it from the backup: %w", path, err)
	}
	return key, nil
}

func checkKeyFile(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("the key file %s is not a regular file", path)
	}
	// Windows has no such mode bits: what os reports there says nothing about who may read the file.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("the key file %s has mode %04o: others than its owner may use it; run chmod 600 on it, and make a new key if they may have read it", path, mode)
	}
	return nil
}

// JWKS returns the public forms of keys as a JSON Web Key Set (RFC 7517 §5).
func JWKS(keys ...*jose.Key) (jose.KeySet, error) {
	public := make([]jose.PublicKey, len(keys))
	for i, k := range keys {
		public[i] = k.Public()
	}
	return jose.NewKeySet(public...)
}
