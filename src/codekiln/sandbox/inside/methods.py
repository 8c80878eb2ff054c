"""Runs the methods of unittest's classes of tests."""

import sys

from brief import told


class Enough(BaseException):
    """There are failures enough."""


def run(kind, number, recorder):
    """Run a class of tests, numbered from `number` on; the number after them."""
    unittest = sys.modules["unittest"]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(kind)
    result = _result_class(unittest)(recorder, number)
    unittest.TestSuite([suite]).run(result)
    if result.wrong:
        raise result.wrong
    return result.number


def _result_class(unittest):
    """Made when it is needed: to have unittest loaded would make every program's start dearer."""

    class _Result(unittest.TestResult):
        def __init__(self, recorder, number):
            super().__init__()
            self._recorder, self.number, self.wrong = recorder, number, None

        def startTest(self, test):
            super().startTest(test)
            kind, method = type(test), test._testMethodName
            if not getattr(getattr(kind, method, None), "__unittest_skip__", False):
                self._recorder.named(self.number, f"{kind.__name__}.{method}")

        def stopTest(self, test):
            super().stopTest(test)
            self.number += 1

        def _fail(self, test, detail):
            try:
                if not hasattr(test, "_testMethodName"):  # setUpClass and the like
                    self._recorder.named(self.number, str(test))
                    self._recorder.fail(self.number, detail)
                    self.number += 1
                    return
                self._recorder.fail(self.number, detail)
            except Enough as enough:
                self.wrong = enough
                self.stop()

        def addFailure(self, test, err):
            self._fail(test, told(err[1]))

        addError = addFailure

        def addSubTest(self, test, subtest, err):
            if err is not None:
                self._fail(test, f"{subtest._subDescription()}: {told(err[1])}")

        def addSkip(self, test, reason):
            # One that test code itself leaves out never began.
            if self.number in self._recorder._begun:
                self._fail(test, f"skipped: {reason}")

        def addUnexpectedSuccess(self, test):
            self._fail(test, "it was expected to fail")

    return _Result
