// Package pattern reads the STIX 2.1 patterning language (OASIS Standard, incorporating Errata 01, §9).
//
// Parse checks a pattern, every rule about its constants and qualifiers included, and gives its syntax tree.
package pattern
