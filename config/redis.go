package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// redis checks how the keys of redis fit together.
func (v *validation) redis() {
	r := v.config.Redis
	v.check("redis.addresses", !slices.ContainsFunc(r.Addresses, func(a string) bool { return !isAddress(a) || strings.HasPrefix(a, ":") || strings.HasSuffix(a, ":0") }),
		"want HOST:PORT of each, such as [127.0.0.1:6379]")
	v.check("redis.addresses", len(r.Addresses) < 2 || r.Master != "" || r.Cluster,
		"want one server, or master for several Sentinels, or cluster: true")
	v.check("redis.cluster", !r.Cluster || r.Master == "", "a Cluster has no Sentinels; set either cluster or master")
	v.check("redis.database", !r.Cluster || r.Database == 0, "a Cluster has database 0 only")
	v.check("redis.password_file", r.PasswordFile == "" || r.Password == "", "want the password in one place; it is in redis.password too")
	v.check("redis.username", r.Username == "" || r.Password != "" || r.PasswordFile != "", "want its password too, in password or password_file")
	v.check("redis.sentinel_password", r.SentinelPassword == "" || r.Master != "", "it has no effect without master")
	v.check("redis.sentinel_username", r.SentinelUsername == "" || r.SentinelPassword != "", "want its password too, in sentinel_password")
	v.check("redis.ca_file", r.CAFile == "" || r.TLS, "it has no effect without tls: true")
}

// maxPassword bounds a password's length in bytes.
const maxPassword = 4096

// Secret returns the password from wherever it is; "" for none. The error names the file, never its content.
func (r Redis) Secret() (string, error) {
	if r.PasswordFile == "" {
		return string(r.Password), nil
	}
	data, err := os.ReadFile(r.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("redis.password_file: %w", err)
	}
	password := strings.TrimRight(string(data), "\r\n")
	if password == "" || len(password) > maxPassword || strings.ContainsAny(password, "\r\n") {
		return "", fmt.Errorf("redis.password_file: %s should hold one line, the password", r.PasswordFile)
	}
	return password, nil
}
