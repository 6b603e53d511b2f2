package config

import "strings"

// nearest returns the name that a mistyped one probably means, or "". A name that lost only its section, page_max for
// limits.page_max, means the full one.
func nearest(typed string, names []string) string {
	best, bestDistance := "", max(2, len(typed)/3)+1
	for _, name := range names {
		d := distance(typed, name)
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			d = min(d, distance(typed, name[i+1:])+1)
		}
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is how many characters must be inserted, removed or replaced to make b of a (Levenshtein).
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return max(len(a), len(b)) // nobody mistypes that much; and the cost stays bounded
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitution := diagonal
			if a[i] != b[j] {
				substitution++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitution, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
