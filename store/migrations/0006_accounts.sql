-- Nothing of this step is in this version.
SELECT 1;
