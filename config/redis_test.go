package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRedis(t *testing.T) {
	for _, tt := range []struct {
		name, key string
		redis     Redis
	}{
		{"none", "", Redis{}},
		{"one server", "", Redis{Addresses: []string{"127.0.0.1:6379"}, Database: 3}},
		{"an ACL user over TLS", "", Redis{Addresses: []string{"redis.example:6380"}, Username: "skjold", Password: "p", TLS: true, CAFile: "ca.pem"}},
		{"Sentinels", "", Redis{Addresses: []string{"a:26379", "b:26379"}, Master: "feed", SentinelUsername: "s", SentinelPassword: "p"}},
		{"a Cluster", "", Redis{Addresses: []string{"a:6379", "[2001:db8::1]:6379"}, Cluster: true, PasswordFile: "password"}},
		{"no port", "redis.addresses", Redis{Addresses: []string{"redis.example"}}},
		{"no host", "redis.addresses", Redis{Addresses: []string{":6379"}}},
		{"port 0", "redis.addresses", Redis{Addresses: []string{"a:0"}}},
		{"a URL", "redis.addresses", Redis{Addresses: []string{"redis://a:6379"}}},
		{"two servers", "redis.addresses", Redis{Addresses: []string{"a:1", "b:1"}}},
		{"a Cluster with Sentinels", "redis.cluster", Redis{Addresses: []string{"a:1"}, Cluster: true, Master: "feed"}},
		{"a Cluster's second database", "redis.database", Redis{Addresses: []string{"a:1"}, Cluster: true, Database: 1}},
		{"a negative database", "redis.database", Redis{Database: -1}},
		{"two passwords", "redis.password_file", Redis{Password: "hunter2", PasswordFile: "password"}},
		{"a user without password", "redis.username", Redis{Username: "skjold"}},
		{"a Sentinel's password without Sentinels", "redis.sentinel_password", Redis{SentinelPassword: "hunter2"}},
		{"a Sentinel's user without password", "redis.sentinel_username", Redis{Master: "feed", SentinelUsername: "s"}},
		{"a CA without TLS", "redis.ca_file", Redis{CAFile: "ca.pem"}},
	} {
		c := Default()
		c.Redis = tt.redis
		err := c.Validate()
		switch {
		case err == nil && tt.key == "":
		case err == nil || tt.key == "" || !strings.HasPrefix(err.Error(), tt.key):
			t.Errorf("%s: %v, want a problem with %q", tt.name, err, tt.key)
		case strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: the error tells the password: %v", tt.name, err)
		}
	}
}

func TestRedisSecret(t *testing.T) {
	file := func(content string) string {
		name := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, tt := range []struct {
		redis Redis
		want  string
		fails bool
	}{
		{Redis{}, "", false},
		{Redis{Password: "a b"}, "a b", false},
		{Redis{PasswordFile: file("hunter2\n")}, "hunter2", false},
		{Redis{PasswordFile: file("hunter2\r\n")}, "hunter2", false},
		{Redis{PasswordFile: file(" hunter 2")}, " hunter 2", false},
		{Redis{PasswordFile: file("")}, "", true},
		{Redis{PasswordFile: file("hunter2\nhunter3\n")}, "", true},
		{Redis{PasswordFile: file(strings.Repeat("hunter2", 1000))}, "", true},
		{Redis{PasswordFile: "no such file"}, "", true},
	} {
		got, err := tt.redis.Secret()
		if got != tt.want || (err != nil) != tt.fails || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Secret of %+v = %q, %v", tt.redis, got, err)
		}
	}
}

// TestSecret holds that a password does not get out, however it is written.
func TestSecret(t *testing.T) {
	s := Secret("hunter2")
	text, err := json.Marshal(struct{ S Secret }{s})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%v %s %q %#v %+v", s, s, s, s, Redis{Password: s}), string(text), s.LogValue().String()} {
		if strings.Contains(got, "hunter2") || !strings.Contains(got, mask) {
			t.Errorf("a password is written as %s", got)
		}
	}
	if got := Secret("").String(); got != "" {
		t.Errorf("no password is written as %q", got)
	}
}
