// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BulkheadTest} from "./BulkheadTest.sol";
import {VaultHandler} from "./VaultHandler.sol";

/// @notice What holds after any sequence of what anybody can do. The handler itself holds I4 to I8, I10, I11 and I14 with
/// each action; here is what is true of the whole. I15: after every sequence each action went through often enough.
contract InvariantsTest is BulkheadTest {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    VaultHandler private handler;
    uint256 private checks;

    function setUp() external {
        handler = new VaultHandler();
        handler.begin();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[26] memory list = [
            handler.deposit.selector,
            handler.deposit.selector,
            handler.pay.selector,
            handler.payBatch.selector,
            handler.payOnce.selector,
            handler.collectFee.selector,
            handler.giveHeartbeat.selector,
            handler.addDestination.selector,
            handler.removeDestination.selector,
            handler.lowerLimit.selector,
            handler.queueRaise.selector,
            handler.queueExitDestination.selector,
            handler.queueRotation.selector,
            handler.veto.selector,
            handler.pause.selector,
            handler.requestExit.selector,
            handler.cancelExit.selector,
            handler.openExit.selector,
            handler.exit.selector,
            handler.execute.selector,
            handler.openAgain.selector,
            bytes4(keccak256("wait(uint256)")),
            handler.replay.selector,
            handler.payOnAnotherChain.selector,
            handler.steal.selector,
            handler.pokeTheImplementation.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0].addr = address(handler);
        targets[0].selectors = new bytes4[](list.length);
        for (uint256 i = 0; i < list.length; ++i) {
            targets[0].selectors[i] = list[i];
        }
    }

    /// @dev Each check asks for everything, so it is made after every eighth action, and at the end.
    function invariant_vaultsDoWhatTheModelSays() external {
        if (++checks % 8 == 0) handler.checkAll();
    }

    function afterInvariant() external {
        handler.checkAll();
        string[26] memory often = [
            "deposit",
            "pay",
            "pay batch",
            "pay once",
            "pay unlisted",
            "fee",
            "heartbeat",
            "add destination",
            "remove destination",
            "lower limit",
            "queue",
            "raise limit",
            "change exit destination",
            "rotate key",
            "veto",
            "pause",
            "request exit",
            "cancel exit",
            "open exit",
            "exit",
            "open and create again",
            "wait",
            "replay",
            "another chain",
            "theft",
            "poke"
        ];
        string memory counts = "I15: something hardly ever happened:";
        for (uint256 i = 0; i < often.length; ++i) {
            counts = string.concat(counts, " ", often[i], " ", vm.toString(handler.successes(often[i])), ",");
        }
        for (uint256 i = 0; i < often.length; ++i) {
            vm.assertGe(handler.successes(often[i]), 1, counts);
        }
    }
}
