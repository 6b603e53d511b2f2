package federation

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCreateAndLoadKeys(t *testing.T) {
	dir := t.TempDir()
	made, err := CreateKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{FederationKeyFile, RequestKeyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", name, mode)
		}
	}
	loaded, err := LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Federation.ID() != made.Federation.ID() || loaded.Request.ID() != made.Request.ID() {
		t.Error("the keys read are not those that were made")
	}
	if made.Federation.ID() == made.Request.ID() {
		t.Error("both purposes have one key")
	}
	if _, err := CreateKeys(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("CreateKeys over existing keys: %v, want fs.ErrExist", err)
	}
	if again, err := LoadKeys(dir); err != nil || again.Federation.ID() != made.Federation.ID() {
		t.Errorf("the failed CreateKeys touched the keys: %v", err)
	}
}

func TestCreateKeysLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, RequestKeyFile), []byte("taken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateKeys(dir); err == nil {
		t.Fatal("CreateKeys wrote over a file")
	}
	if _, err := os.Stat(filepath.Join(dir, FederationKeyFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the federation key was left behind: %v", err)
	}
}

func TestLoadKeyRefuses(t *testing.T) {
	key := testNodes().a.keys.Federation
	private, err := key.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, content string
		mode          fs.FileMode
		want          string // part of the sentence
	}{
		{"group can read", string(private), 0o640, "chmod 600"},
		{"others can read", string(private), 0o604, "chmod 600"},
		{"group can write", string(private), 0o620, "chmod 600"},
		{"empty", "", 0o600, "does not hold a private key"},
		{"PEM", "-----BEGIN PRIVATE KEY-----\n", 0o600, "does not hold a private key"},
		{"public key", string(public), 0o600, "does not hold a private key"},
		{"cut short", string(private[:40]), 0o600, "does not hold a private key"},
		{"two keys", string(private) + string(private), 0o600, "does not hold a private key"},
		{"huge", strings.Repeat(" ", maxKeyFile+1), 0o600, "no JSON Web Key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "key.jwk")
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := LoadKey(path)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("LoadKey: %v, want a sentence with %q", err, tt.want)
			}
			if d := string(private[strings.Index(string(private), `"d":"`)+5:][:43]); strings.Contains(err.Error(), d) {
				t.Error("the error shows the secret")
			}
		})
	}
	if _, err := LoadKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadKey of no file: %v", err)
	}
	if _, err := LoadKey(t.TempDir()); err == nil {
		t.Error("LoadKey read a directory")
	}
}

func TestLoadKeysRefusesOneKeyForBoth(t *testing.T) {
	dir := t.TempDir()
	if _, err := CreateKey(filepath.Join(dir, FederationKeyFile)); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, FederationKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, RequestKeyFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(dir); err == nil {
		t.Error("one key serves both purposes")
	}
}
