package storetest

var applyTests []testCase
