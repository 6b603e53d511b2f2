package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Set returns the text of a configuration file with one setting changed, and everything else in it as it was, comments
// included. value is text in the form that an environment variable has; lists are written with commas. A key that does not
// exist and a value that is not of its type are a KeyError. A file that writes the key in a way that can't be changed line
// by line, such as a list over several lines, is an error that says so.
func Set(file []byte, name, value string) ([]byte, error) {
	k, ok := keyNamed(name)
	if !ok {
		return nil, unknown(name, "", "key", nearest(name, keyNames()))
	}
	var c Config
	if err := k.set(&c, value); err != nil {
		return nil, c.problem(k, value, err.Error())
	}
	lines := strings.Split(strings.TrimSuffix(string(file), "\n"), "\n")
	if len(file) == 0 {
		lines = nil
	}
	lines = setLine(lines, name, lastPart(name)+": "+k.yaml(&c))
	changed := []byte(strings.Join(lines, "\n") + "\n")
	if !onlyChanges(file, changed, k, &c) {
		return nil, fmt.Errorf("the file writes %s in a way that only a person can change: set it there with an editor", name)
	}
	return changed, nil
}

// setLine puts a setting where it stands, else where it is commented out, else at the beginning of its section.
func setLine(lines []string, name, setting string) []string {
	indent, from, to := "", 0, len(lines)
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		indent = "  "
		section := slices.IndexFunc(lines, func(l string) bool { return strings.TrimRight(l, " \r") == name[:i]+":" })
		if section < 0 {
			return append(lines, name[:i]+":", indent+setting)
		}
		from = section + 1
		if end := slices.IndexFunc(lines[from:], begins); end >= 0 {
			to = from + end
		}
	}
	for _, prefix := range []string{indent, indent + "#"} {
		for i := from; i < to; i++ {
			if strings.HasPrefix(lines[i], prefix+lastPart(name)+":") {
				lines[i] = indent + setting
				return lines
			}
		}
	}
	return slices.Insert(lines, from, indent+setting)
}

// begins tells whether a line begins a section or a setting at the top.
func begins(line string) bool { return line != "" && !strings.ContainsAny(line[:1], " #\t\r") }

// onlyChanges tells whether two files say the same but for one key, which the second sets to what it is in c.
func onlyChanges(before, after []byte, k key, c *Config) bool {
	old, oldErr := parseFile(before)
	now, err := parseFile(after)
	raw, ok := now[k.name]
	var got Config
	if oldErr != nil || err != nil || !ok || k.set(&got, raw) != nil || !reflect.DeepEqual(k.in(&got).Interface(), k.in(c).Interface()) {
		return false
	}
	delete(old, k.name)
	delete(now, k.name)
	return reflect.DeepEqual(old, now)
}
