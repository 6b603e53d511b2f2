package storetest

var exactTests []testCase
